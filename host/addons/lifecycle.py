"""Install, activate and deactivate addons. A step that fails changes nothing."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

import host as host_package
from host.addons import records, reports
from host.addons.activation import bring_up, tell_activated
from host.addons.migrating import runner
from host.addons.operation_lock import BusyError, is_testing, operation
from host.addons.package import store
from host.addons.package.failures import AddonError
from host.addons.package.manifest import fit_problems
from host.addons.package.store import Release
from host.addons.records import ActivationStep, Card, Outcome, installed
from host.addons.running import hooks_apart
from host.addons.running.generation import Host
from host.core import clock, db, marks, migrations
from host.core.config import Config
from host.core.filelock import serving_lock
from host.models.addons import Addon, AddonRelease, AddonState, Operation
from host.sdk.i18n import noop
from host.users.actor import DESK, Actor
from host.web.languages import gettext as _

__all__ = [
    "ActivationStep",
    "Actor",
    "AddonError",
    "BusyError",
    "Card",
    "Outcome",
    "activate",
    "deactivate",
    "install",
    "install_file",
    "installed",
    "migrate_everything",
    "note_hung",
    "quarantine",
    "recover",
    "retry_quarantined",
    "roll_back",
]

log = logging.getLogger(__name__)

# Installing


def install_file(
    config: Config,
    path: Path,
    *,
    actor: Actor = DESK,
    downgrade: bool = False,
    takeover: bool = False,
    vetted: bool = False,
) -> Release:
    """Check the zip at *path* and install it, inactive; an active addon is updated to it.

    :param vetted: whether it comes with this release, so that its code need not be probed.
    :raises AddonError: with every problem the zip has.
    """
    report = reports.upload(config, path, actor=actor, vetted=vetted)
    if report.release is None or report.problems:
        raise AddonError(" ".join(report.problems))
    if report.relation is reports.Relation.SAME:
        return report.release
    outcome = install(
        config, report.release.id, actor=actor, downgrade=downgrade, takeover=takeover, vetted=vetted
    )
    if not outcome.ok and outcome.error:
        raise AddonError(str(outcome.error["sentence"]), detail=str(outcome.error.get("database", "")))
    return report.release


def install(
    config: Config,
    release_id: int,
    *,
    host: Host | None = None,
    actor: Actor = DESK,
    downgrade: bool = False,
    takeover: bool = False,
    vetted: bool = False,
) -> Outcome:
    """Install an accepted release: a new addon starts inactive, an inactive one is replaced.

    An active addon is updated: its old release keeps serving until the new one has passed every step.

    :param downgrade: whether it may be older than a release accepted before.
    :param takeover: whether it may come from a different publisher.
    :param vetted: whether it comes with this release, so that its code need not be probed.
    :raises AddonError: if the release may not replace what is installed.
    :raises BusyError: if another addon operation is running.
    """
    with operation(config, _slug_of(release_id)):
        report = reports.report(config, release_id)
        if report.release is None or report.problems:
            raise AddonError(" ".join(report.problems) or _("That upload has expired. Upload the zip again."))
        release = report.release
        outcome = Outcome(release.slug)
        if report.relation is reports.Relation.SAME:
            return outcome
        if report.downgrade and not downgrade:
            raise AddonError(
                _("This version is older than the installed one, and the downgrade was not confirmed.")
            )
        if report.takeover and not takeover:
            raise AddonError(_("The publisher has changed, and the change was not confirmed."))
        db.write(records.starting, release, actor, report.current)
        if report.running:
            db.write(records.begin, release.slug, Operation.UPDATING, clock.now())
            bring_up(config, release, outcome, host, actor, vetted=vetted)
            db.write(records.end, release.slug)
        else:
            db.write(records.put, release, actor, clock.now())
    tell_activated(config, release, outcome, host)
    return outcome


def _slug_of(release_id: int) -> str:
    with db.read() as session:
        row = session.get(AddonRelease, release_id)
        return "" if row is None else row.slug


# Activating


def activate(
    config: Config,
    slug: str,
    *,
    host: Host | None = None,
    actor: Actor = DESK,
    vetted: bool = False,
) -> Outcome:
    """Activate the addon *slug*: probe its code in a separate process, migrate, build, swap.

    Only the last step touches the running generation. Pass *host* if a host serves in this process: it swaps
    generations before this returns.

    :param vetted: whether it comes with this release, so that its code need not be probed.
    :raises AddonError: if no such addon is installed.
    :raises BusyError: if another addon operation is running.
    """
    with operation(config, slug):
        with db.read() as session:
            row = session.get(Addon, slug)
            found = None if row is None else session.get(AddonRelease, row.release_id)
            if row is None or found is None:
                raise AddonError(_("The addon %(slug)s is not installed.", slug=slug))
            release = store.as_release(found)
            state = row.state
        outcome = Outcome(slug)
        if state == AddonState.ACTIVE and (host is None or slug in host.generation().releases):
            return outcome
        # An active addon that could not be loaded here stays active: another machine may be running it.
        if state != AddonState.ACTIVE:
            db.write(records.mark, release, actor, clock.now())
        bring_up(config, release, outcome, host, actor, vetted=vetted)
    tell_activated(config, release, outcome, host)
    return outcome


def roll_back(
    config: Config,
    slug: str,
    *,
    to: str = "",
    host: Host | None = None,
    actor: Actor = DESK,
) -> Outcome:
    """Activate the previous release, with the same steps as an update.

    No migration is undone: each leaves the tables usable by the previous release. Rolling back twice restores
    the newer release.

    :param to: the version the caller expects. Without it, two concurrent calls would roll back twice.
    :raises AddonError: if there is no previous release, or it is not *to*.
    :raises BusyError: if another addon operation is running.
    """
    with operation(config, slug):
        with db.read() as session:
            row = session.get(Addon, slug)
            before = None if row is None else session.get(AddonRelease, row.previous_release_id or 0)
            if row is None or before is None:
                raise AddonError(_("There is no earlier release to roll back to."))
            release = store.as_release(before)
            if to and to != release.version:
                raise AddonError(
                    _(
                        "Nothing was rolled back: the previous release is now %(version)s.",
                        version=release.version,
                    )
                )
            wanted = row.wanted
        outcome = Outcome(slug)
        db.write(lambda session: records.audit(session, actor, "addon.roll_back_started", release))
        if wanted:
            db.write(records.begin, slug, Operation.ROLLING_BACK, clock.now())
            bring_up(config, release, outcome, host, actor)
            db.write(records.end, slug)
        else:
            db.write(records.put, release, actor, clock.now())
    tell_activated(config, release, outcome, host)
    return outcome


# Setting aside

_KEPT_FAILING = noop("The addon kept failing and was quarantined. Lobby runs without it.")


def quarantine(slug: str, what: str, words: str, *, sentence: str = _KEPT_FAILING) -> bool:
    """Quarantine a running addon that kept failing in *what*; return whether it was running.

    Its version and the host's are stored: it is retried automatically once either has changed.
    """
    error = _error(slug, what, words, sentence)
    return error is not None and db.write(records.quarantined, slug, error, clock.now())


def _error(slug: str, what: str, words: str, sentence: str) -> dict[str, str] | None:
    with db.read() as session:
        row = session.get(Addon, slug)
        if row is None:
            return None
        version = session.get_one(AddonRelease, row.release_id).version
    return {
        "step": "",
        "sentence": sentence,
        "database": f"{what}: {words}\naddon {version}, host {host_package.__version__}",
        "version": version,
        "host": host_package.__version__,
    }


_KEPT_HANGING = noop(
    "The addon kept hanging and was deactivated. Find the cause before you activate it again."
)


def note_hung(slug: str, what: str, where: str) -> bool | None:
    """Record that an addon hung so often that a process disabled it; return the next action.

    True: replace the process. False: this already happened within the last hour, in any process, and the
    addon is set aside until an admin activates it. None: it was not running.
    """
    error = _error(slug, what, where, _KEPT_HANGING)
    # A new version of the host does not retry it automatically.
    return None if error is None else db.write(records.hung, slug, {**error, "host": ""}, clock.now())


def set_aside_who_killed(config: Config) -> None:
    """Start marking running code, and quarantine an addon that previous processes died in."""
    guilty = marks.begin(config.data)
    if guilty is None:
        return
    slug, what, deaths = guilty.slug, guilty.what, guilty.deaths
    if deaths == 1:
        log.error("addon %s ended a process in %s", slug, what)
        words = "it ended its process"
        sentence = noop("The addon ended the process and was quarantined. Lobby runs without it.")
    else:
        log.error("%s processes ended while addon %s was in %s", deaths, slug, what)
        words = f"{deaths} processes ended in it"
        sentence = noop("The addon kept crashing the process and was quarantined. Lobby runs without it.")
    quarantine(slug, what, words, sentence=sentence)


def retry_quarantined(config: Config) -> list[str]:
    """Reactivate addons that were quarantined under another version of the host; return their slugs.

    Each is tried once: if it fails again, it is quarantined with the new version.
    """
    if config.safe_mode:
        return []
    with db.read() as session:
        rows = session.scalars(sa.select(Addon).where(Addon.state == AddonState.QUARANTINED, Addon.wanted))
        due = [
            row.slug
            for row in rows
            if (row.error or {}).get("host", "") not in ("", host_package.__version__)
        ]
    for slug in due:
        log.warning("addon %s was set aside under another version of Lobby; it is tried again", slug)
        db.write(records.retried, slug, clock.now())
    return due


# Deactivating


def deactivate(config: Config, slug: str, *, host: Host | None = None, actor: Actor = DESK) -> None:
    """Deactivate the addon *slug*. Its tables, accounts and conversations stay.

    Runs none of the addon's code before it is inactive, so this works for an addon that breaks the desk.

    :raises AddonError: if no such addon is installed.
    :raises BusyError: if another addon operation is running.
    """
    hook = "addon_deactivated"
    with operation(config, slug):
        hears = host is not None and hooks_apart.has(host.generation(), slug, hook)
        release = _release(slug) if hears else None
        db.write(records.deactivated, slug, actor, clock.now())
        if host is not None:
            host.refresh()
    if release is not None:
        hooks_apart.tell(config, release, hook)


def _release(slug: str) -> Release | None:
    with db.read() as session:
        row = session.get(Addon, slug)
        found = None if row is None else session.get(AddonRelease, row.release_id)
        return None if found is None else store.as_release(found)


# After a crash


def recover(config: Config) -> list[str]:
    """Reset addons whose activation was interrupted by the death of its process; return their slugs.

    An addon counts as being activated only while a process holds the installation's lock. An interrupted
    activation has not activated anything. Its migrations continue where they stopped when it is activated
    again.
    """
    if not any(_interrupted()) and not store.staged(config.data):
        return []  # another process may be starting an operation: leave the lock to it
    with _if_idle(config) as idle:
        if not idle:
            return []
        store.clean(config.data)
        stuck, half = _interrupted()
        for slug in stuck:
            db.write(records.interrupted, slug, clock.now())
        for slug in half:
            db.write(records.end, slug)
        return stuck


def _interrupted() -> tuple[list[str], list[str]]:
    """Return the addons that are being activated, and those with another operation in progress."""
    with db.read() as session:
        stuck = session.scalars(sa.select(Addon.slug).where(Addon.state == AddonState.ACTIVATING)).all()
        half = session.scalars(sa.select(Addon.slug).where(Addon.operation.is_not(None))).all()
    return list(stuck), list(half)


@contextmanager
def _if_idle(config: Config) -> Iterator[bool]:
    try:
        with operation(config):
            yield not is_testing(config)
    except BusyError:
        yield False


def migrate_everything(config: Config, progress: Callable[[int, int], None] | None = None) -> list[str]:
    """Migrate the tables of the host and of every active addon; return a line for each revision.

    :param progress: as that of :func:`host.core.migrations.upgrade_host`.
    :raises migrations.BusyError: if a process serves this SQLite file, or another one migrates.
    """
    with serving_lock(config) as free:
        if not free:
            raise migrations.BusyError("Lobby is running on this database; stop it before migrating.")
        return _migrate_everything(config, progress)


def _migrate_everything(config: Config, progress: Callable[[int, int], None] | None) -> list[str]:
    lines = migrations.upgrade_host(config.database_url, progress)
    for card in installed():
        if card.state is not AddonState.ACTIVE:
            continue
        release = card.release
        if config.safe_mode or fit_problems(release.manifest):
            continue
        folder = store.materialise(config.data, release)

        def around(name: str, do: Callable[[], str | None], slug: str = card.slug) -> None:
            lines.append(f"{slug}: {name}. {do() or ''}".rstrip())

        runner.run(config, release.manifest, folder, around)
    return lines
