"""Who made an addon until now: the key of its first signed release is pinned, another has to be let in."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from host.addons.manifest import version_key
from host.addons.models import AddonPublisher
from host.addons.store import Release


@dataclass(frozen=True, slots=True)
class Publisher:
    """The publisher of an addon, as its accepted releases have shown it.

    :param public_key: pinned; empty as long as no release was signed.
    :param highest_version: of its accepted releases.
    """

    name: str
    public_key: str
    highest_version: str

    def is_another(self, release: Release) -> bool:
        """Tell whether *release* comes from somebody else, or from nobody who shows it."""
        return bool(self.public_key) and self.public_key != release.public_key

    def is_older(self, release: Release) -> bool:
        """Tell whether a newer release than *release* was accepted before."""
        return version_key(release.version) < version_key(self.highest_version)


def find(session: Session, slug: str) -> Publisher | None:
    """Return the publisher of the addon *slug*, or None if nothing of that name was ever accepted."""
    row = session.get(AddonPublisher, slug)
    return None if row is None else Publisher(row.name, row.public_key, row.highest_version)


def note(session: Session, release: Release) -> None:
    """Remember that *release* was accepted. Whether another publisher may take over was decided before.

    A new publisher's versions begin anew: 99.0.0 signed with a stolen key must not keep the mended 1.0.1 out.
    """
    row = session.get(AddonPublisher, release.slug)
    name = release.manifest.publisher
    if row is None:
        row = AddonPublisher(slug=release.slug, public_key="", highest_version=release.version)
        session.add(row)
    known = Publisher(name, row.public_key, row.highest_version)
    row.name = name
    if known.is_another(release) or not known.is_older(release):
        row.highest_version = release.version
    row.public_key = release.public_key
