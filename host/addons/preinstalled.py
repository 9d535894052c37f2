"""Preinstalled addons: installed and activated at a desk's first start, and upgraded with Lobby.

An admin may deactivate, remove or replace such an addon like any other. Lobby respects that: it only upgrades
releases that it installed itself, and never reinstalls a removed addon.
"""

from __future__ import annotations

import logging

import msgspec
from sqlalchemy.orm import Session

from host.addons import lifecycle
from host.addons.operation_lock import BusyError
from host.addons.package import shipped
from host.addons.package.archive import ArchiveError
from host.addons.package.failures import AddonError
from host.addons.package.manifest import version_key
from host.addons.package.shipped import Shipped
from host.core import db
from host.core.config import Config
from host.models.addons import Addon, AddonRelease, AddonState
from host.models.users import InstallationValue

log = logging.getLogger(__name__)

SLUGS = ("email",)

_PREFIX = "preinstalled:"
_UNFINISHED = "activating"
"""The value until the first activation has succeeded: the next start retries it."""


class _PreinstalledState(msgspec.Struct, frozen=True):
    """The state of a preinstalled addon on this desk.

    :param value: the hash of the release that Lobby installed last, or :data:`_UNFINISHED`; empty for none.
    :param sha256: the hash of the installed release; empty if the addon is not installed.
    :param failed: whether its activation failed or was interrupted.
    """

    value: str
    sha256: str = ""
    version: str = ""
    state: AddonState | None = None
    failed: bool = False


def provide(config: Config) -> list[str]:
    """Install or upgrade the preinstalled addons as needed; return a line for each that changed.

    A failure is logged and shown on the addon's card. The desk then starts without the addon.
    """
    if config.safe_mode:
        return []
    lines = []
    hashes = shipped.slugs()
    for slug in SLUGS:
        try:
            version = _provide(config, slug, hashes.get(slug, ""))
        except BusyError:
            log.info("another process is changing addons; addon %s is left to it", slug)
        except AddonError as error:
            log.error("addon %s could not be provided: %s %s", slug, error.sentence, error.detail)
        except (ArchiveError, OSError):
            log.exception("addon %s could not be provided", slug)
        else:
            lines += [f"{slug}: {version}"] if version else []
    return lines


def _provide(config: Config, slug: str, sha256: str) -> str:
    """Return the version that was installed, or an empty string if nothing was done."""
    with db.read() as session:
        known = _known(session, slug)
    if not sha256 or known.value == sha256:
        return ""
    if not known.value:
        found = _shipped(slug)
        if found is None:
            return ""
        lifecycle.install_file(config, found.path, vetted=True)
        db.write(_note, slug, _UNFINISHED)
        return _activate(config, found)
    if known.value == _UNFINISHED:
        if known.state is AddonState.ACTIVE:
            db.write(_note, slug, known.sha256)
        elif known.failed and (found := _shipped(slug)) is not None:
            return _activate(config, found)
        return ""
    if known.sha256 == sha256:
        db.write(_note, slug, sha256)  # an admin was faster
        return ""
    found = _shipped(slug) if known.sha256 == known.value else None
    if found is None or not _is_upgrade(config, known.version, found.manifest.version):
        return ""
    lifecycle.install_file(config, found.path, vetted=True)
    db.write(_note, slug, sha256)
    return found.manifest.version


def _activate(config: Config, found: Shipped) -> str:
    slug = found.manifest.slug
    outcome = lifecycle.activate(config, slug, vetted=True)
    if outcome.error is not None:
        log.error("addon %s was not activated: %s", slug, outcome.error.get("sentence"))
        return ""
    db.write(_note, slug, found.sha256)
    return found.manifest.version


def _is_upgrade(config: Config, now: str, then: str) -> bool:
    """Return whether version *then* replaces *now*.

    During development, the content may change without the version.
    """
    return version_key(then) > version_key(now) or (then == now and config.development)


def _shipped(slug: str) -> Shipped | None:
    return next((one for one in shipped.addons() if one.manifest.slug == slug), None)


def _known(session: Session, slug: str) -> _PreinstalledState:
    stored = session.get(InstallationValue, _PREFIX + slug)
    value = stored.value if stored is not None else ""
    row = session.get(Addon, slug)
    if row is None:
        return _PreinstalledState(value)
    release = session.get_one(AddonRelease, row.release_id)
    state = AddonState(row.state)
    failed = state is AddonState.ACTIVATING or (state is not AddonState.ACTIVE and row.error is not None)
    return _PreinstalledState(value, release.sha256, release.version, state, failed)


def _note(session: Session, slug: str, value: str) -> None:
    session.merge(InstallationValue(name=_PREFIX + slug, value=value))
