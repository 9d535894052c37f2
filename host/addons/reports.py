"""Report on an uploaded zip: its content, and whether it may be installed. No code of the addon runs."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.addons import records
from host.addons.migrating import plan
from host.addons.migrating.plan import PlannedRevision
from host.addons.operation_lock import operation
from host.addons.package import archive, checking, store, trust
from host.addons.package.archive import Archive, ArchiveError
from host.addons.package.manifest import ManifestError, fit_problems, version_key
from host.addons.package.store import Release
from host.addons.package.trust import Publisher, Standing
from host.core import clock, db
from host.core.config import Config
from host.core.migrations import addon_version_table
from host.models.addons import Addon, AddonRelease, AddonState
from host.users.actor import DESK, Actor, DeskWork

KEEP_UPLOADS = timedelta(days=1)


class Relation(StrEnum):
    """How an uploaded release compares with the installed one."""

    NEW = "new"
    SAME = "same"
    """The same bytes are installed already."""
    NEWER = "newer"
    OLDER = "older"
    REPLACED = "replaced"
    """The same version with other content."""


class Report(msgspec.Struct, frozen=True):
    """The report an admin reads before installing.

    :param release: None if the zip was refused; then *problems* has the reasons, and it was not stored.
    :param problems: sentences; if there are any, it cannot be installed.
    :param running: whether a release of this addon is active now.
    """

    release: Release | None
    problems: tuple[str, ...]
    relation: Relation = Relation.NEW
    current: Release | None = None
    running: bool = False
    migrations: tuple[PlannedRevision, ...] = ()
    signature: Standing | None = None
    publisher: Publisher | None = None
    """The publisher of the addon until now; None for a new addon."""
    takeover: bool = False
    """Whether it comes from a different publisher, which an admin must allow."""
    downgrade: bool = False
    """Whether a newer version was accepted before, which an admin must allow."""

    @property
    def asks_nothing(self) -> bool:
        """Whether it can be installed without confirmation: its publisher is trusted, and no running code
        changes.
        """
        fine = self.release is not None and not self.problems and not self.takeover and not self.downgrade
        known = self.signature is not None and self.signature.trusted
        return fine and known and not self.running and self.relation in {Relation.NEW, Relation.NEWER}


def note_upload(work: DeskWork, name: str) -> None:
    """Record that a zip is being uploaded, before it is checked."""
    work.audit("addon.upload_started", name)


def upload(
    config: Config, path: Path, *, actor: Actor = DESK, name: str = "", vetted: bool = False
) -> Report:
    """Check the zip at *path*: store it and report on it, or report why it is refused.

    :param name: the name of the file, for the audit log; empty: whoever installs it records that.
    :param vetted: whether it comes with this release, so that its code need not be checked.
    :raises BusyError: if another addon operation is running.
    """
    with operation(config):
        problems: tuple[str, ...] = ()
        try:
            found = archive.inspect(path) if vetted else checking.check(path)
        except ArchiveError as error:
            problems = error.problems
        else:
            problems = _taken(found.manifest.slug)
        if problems:
            db.write(_note_refused, actor, name, problems)
            return Report(None, problems)
        release = db.write(_keep, found, actor, name, clock.now())
    return report(config, release.id)


def _note_refused(session: Session, actor: Actor, name: str, problems: tuple[str, ...]) -> None:
    if name:
        records.audit(session, actor, "addon.upload_refused", name, reason=" ".join(problems)[:300])


def _taken(slug: str) -> tuple[str, ...]:
    """Return why the slug is not available for an addon; empty if it is."""
    with db.read() as session:
        tables = set(sa.inspect(session.connection()).get_table_names())
    if addon_version_table(slug) in tables:
        return ()  # its own tables, from when it was installed before
    claimed = sorted(name for name in tables if name.startswith(f"{slug}_"))
    if not claimed:
        return ()
    return (f"The name {slug!r} would claim the table {claimed[0]}, which is not its own.",)


def _keep(session: Session, found: Archive, actor: Actor, name: str, now: datetime) -> Release:
    used = sa.select(Addon.release_id).union(
        sa.select(Addon.previous_release_id).where(Addon.previous_release_id.is_not(None))
    )
    session.execute(
        sa.delete(AddonRelease)
        .where(AddonRelease.uploaded_at < now - KEEP_UPLOADS, AddonRelease.id.not_in(used.scalar_subquery()))
        .execution_options(synchronize_session=False)
    )
    row = store.save(session, found, user_id=actor.id, now=now)
    row.uploaded_at = now
    session.flush()
    release = store.as_release(row)
    if name:
        records.audit(session, actor, "addon.uploaded", release, file=name)
    return release


def report(config: Config, release_id: int) -> Report:
    """Return the report on a stored upload."""
    with db.read() as session:
        row = session.get(AddonRelease, release_id)
        if row is None:
            return Report(None, ("That upload has expired. Upload the zip again.",))
        try:
            release = store.as_release(row)
        except ManifestError as error:
            return Report(None, tuple(error.problems))
        addon = session.get(Addon, release.slug)
        installed = session.get(AddonRelease, addon.release_id) if addon is not None else None
        current = store.as_release(installed) if installed is not None else None
        running = addon is not None and (addon.wanted or addon.state == AddonState.ACTIVE)
        publisher = trust.publisher_of(session, release.slug)
    problems = fit_problems(release.manifest)
    signature = trust.standing_of(config, release)
    if signature.blocks:
        problems.append(signature.sentence)
    relation = _relation(release, current)
    if relation is Relation.REPLACED and not config.development:
        problems.append(
            f"Version {release.version} is installed with other content. A changed addon needs a new one; "
            "LOBBY_DEVELOPMENT=1 allows replacing it while you develop one."
        )
    steps: list[PlannedRevision] = []
    try:
        steps = plan.revisions(store.materialise(config.data, release), release.slug)
    except plan.PlanError as error:
        problems.append(str(error))
    other = config.signatures != "off" and publisher is not None and publisher.is_another(release)
    older = publisher is not None and not other and publisher.is_older(release)
    return Report(
        release,
        tuple(problems),
        relation,
        current,
        running,
        tuple(steps),
        signature,
        publisher,
        takeover=other,
        downgrade=relation is Relation.OLDER or (older and relation is not Relation.SAME),
    )


def _relation(release: Release, current: Release | None) -> Relation:
    if current is None:
        return Relation.NEW
    if current.sha256 == release.sha256:
        return Relation.SAME
    ours, theirs = version_key(current.version), version_key(release.version)
    if ours == theirs:
        return Relation.REPLACED
    return Relation.NEWER if theirs > ours else Relation.OLDER


def discard(release_id: int) -> None:
    """Delete an upload that was not installed."""
    db.write(_discard, release_id)


def _discard(session: Session, release_id: int) -> None:
    used = session.scalar(
        sa.select(sa.func.count())
        .select_from(Addon)
        .where(sa.or_(Addon.release_id == release_id, Addon.previous_release_id == release_id))
    )
    if not used:
        session.execute(sa.delete(AddonRelease).where(AddonRelease.id == release_id))


def uploaded_name(path: str) -> str:
    """Return a browser's file name, short and printable."""
    name = Path(path.replace("\\", "/")).name
    return "".join(char if char.isprintable() else "?" for char in name)[:120] or "upload.zip"
