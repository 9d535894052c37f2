"""Run an addon's migrations: back up, rehearse, restrict them to the addon's tables, explain a failure."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from pathlib import Path

import sqlalchemy as sa

from host.addons.migrating import backup, blocking, plan, rehearsal, rows
from host.addons.migrating.apart import FailedError, Failure, Migrator, failure_of, migrator
from host.addons.migrating.guarding import guarded
from host.addons.migrating.plan import PlannedRevision
from host.addons.package.failures import AddonError
from host.addons.package.manifest import Manifest
from host.core import db, migrations
from host.core.config import Config
from host.models.addons import AddonState
from host.sdk.migrations import MigrationRefusedError
from host.web.languages import gettext as _

TRIES = 3
"""Number of attempts of a revision to get its locks. Between two attempts, waiting sessions can proceed."""

PATIENCE_SECONDS = 60.0
PATIENCE_TIMES = 10
"""Timeout of a revision in seconds, or as a multiple of its time on the copy, whichever is longer."""

Around = Callable[[str, Callable[[], str | None]], None]
"""``around(name, do)``: run one step; *do* returns its detail."""

_SCHEMA = re.compile(r"\s*(create|alter|drop|pragma)\b", re.IGNORECASE)
_TEXT = re.compile(r"'(?:[^']|'')*'")


class MigrationError(AddonError):
    """A migration failed. Contains the statement and the database's message, without values."""

    def __init__(self, sentence: str, statement: str, database: str) -> None:
        super().__init__(sentence, state=AddonState.MIGRATION_FAILED, detail=database)
        self.statement = statement
        self.database = database


Testing = Callable[[Callable[[], object]], AbstractContextManager[Callable[[], bool]]]
"""``testing(stop)`` surrounds the test on a copy, calls *stop* if somebody asks to, and yields whether so."""


@contextmanager
def _undisturbed(_stop: Callable[[], object]) -> Iterator[Callable[[], bool]]:
    yield lambda: False


def run(config: Config, manifest: Manifest, folder: Path, around: Around) -> None:
    """Migrate the tables of the addon in *folder*, with one call of *around* for each step.

    Does nothing if no revision is pending. Writers of this process wait while a revision runs. A revision
    that died, hung or failed is rerun from its beginning the next time; earlier ones stay applied.

    :raises MigrationError: for the first revision that fails, on the copy or on the database.
    :raises AddonError: if the database could not be backed up.
    :raises plan.PlanError: if the revisions do not form a linear sequence.
    """
    todo = pending(manifest, folder)
    with ready(config, todo) as apart:
        take(config, manifest, folder, todo, around, apart)


def ready(config: Config, todo: Sequence[PlannedRevision]) -> AbstractContextManager[Migrator | None]:
    """Yield a runner for the revisions in *todo*, or None if it is empty. It starts in the background."""
    return migrator(config.data) if todo else nullcontext()


def pending(manifest: Manifest, folder: Path) -> list[PlannedRevision]:
    """Return the revisions of the addon in *folder* that have not run, oldest first.

    :raises plan.PlanError: if they do not form a linear sequence.
    """
    return [planned for planned in plan.revisions(folder, manifest.slug) if not planned.applied]


def take(
    config: Config,
    manifest: Manifest,
    folder: Path,
    todo: Sequence[PlannedRevision],
    around: Around,
    apart: Migrator | None,
    testing: Testing = _undisturbed,
) -> None:
    """Run the revisions in *todo* through *apart*, as :func:`run` does.

    :param testing: around the test on a copy.
    """
    if apart is None:
        return
    around(_("Back up the database"), lambda: backup.back_up(config, f"{manifest.slug}-{manifest.version}"))

    limit = float(config.migration_seconds)
    took: list[float] = []

    def on_the_copy(url: str) -> None:
        before = apart.sums(url, folder, limit)
        for planned in todo:
            began = time.monotonic()
            try:
                apart.upgrade(url, folder, planned.revision, limit)
            except FailedError as error:
                sentence = _("Migration %(revision)s failed on the copy.", revision=planned.revision)
                raise _failure(sentence, error.failure, url) from error
            took.append(time.monotonic() - began)
        changed = rows.changed(before, apart.sums(url, folder, limit))
        if changed is not None:
            sentence = _(
                "On the copy, the migrations changed rows of %(what)s, which the addon does not own. "
                "Nothing was activated.",
                what=changed,
            )
            raise MigrationError(sentence, "", "")

    def rehearse() -> str:
        with testing(apart.end) as is_stopped:
            try:
                return _rehearsed(config, on_the_copy)
            except MigrationError:
                if is_stopped():
                    sentence = _("The test of the migrations was stopped. Nothing was activated.")
                    raise AddonError(sentence) from None
                raise

    around(_("Test the migrations on a copy"), rehearse)
    if took:
        # Writers wait for it, and the rehearsal showed how long it takes.
        limit = min(limit, max(PATIENCE_SECONDS, PATIENCE_TIMES * max(took)))

    def apply(planned: PlannedRevision) -> None:
        with db.current().writing():
            _patiently(apart, config, folder, planned, limit)

    for planned in todo:
        around(_named(planned), partial(apply, planned))


def _rehearsed(config: Config, on_the_copy: Callable[[str], None]) -> str:
    try:
        return rehearsal.rehearse(config, on_the_copy)
    except FailedError as error:  # the checksums could not be computed
        sentence = _("The rows of the copy could not be compared.")
        raise _failure(sentence, error.failure, config.database_url) from error


def _named(planned: PlannedRevision) -> str:
    return str(_("Migration %(revision)s: %(title)s", revision=planned.revision, title=planned.title))


def _upgrade(engine: sa.Engine, manifest: Manifest, folder: Path, revision: str) -> None:
    table = migrations.addon_version_table(manifest.slug)
    with guarded(manifest, engine) as guard:
        migrations.upgrade(engine, folder / "migrations", table, revision, check=guard.compare)


def upgrade(engine: sa.Engine, manifest: Manifest, folder: Path) -> None:
    """Run every pending revision of the addon in *folder*, restricted to its tables, without a backup.

    For a temporary database. Call it inside :func:`host.core.migrations.locked`.

    :raises MigrationError: for a revision that fails; those before it stay.
    """
    for planned in pending(manifest, folder):
        try:
            _upgrade(engine, manifest, folder, planned.revision)
        except Exception as error:
            sentence = _("Migration %(revision)s failed.", revision=planned.revision)
            raise _failure(sentence, failure_of(error), _address(engine)) from error


def make_first_tables(config: Config, manifest: Manifest, folder: Path, around: Around) -> None:
    """Run every revision of the addon in *folder* if none has run yet, without a backup or rehearsal.

    Its tables have no data to lose. Only call it for code trusted like Lobby's: it runs in this process.

    :raises MigrationError: for a revision that fails; those before it stay.
    """
    planned = plan.revisions(folder, manifest.slug)

    def make() -> None:
        with db.current().writing(), migrations.locked(config.database_url) as engine:
            upgrade(engine, manifest, folder)

    if planned and not any(one.applied for one in planned):
        around(_("Create tables"), make)


def _address(engine: sa.Engine) -> str:
    return engine.url.render_as_string(hide_password=False)


def undo(engine: sa.Engine, manifest: Manifest, folder: Path) -> None:
    """Run the ``downgrade`` of every revision of an addon in *folder*, last first, restricted to its tables.

    Call it inside :func:`host.core.migrations.locked`. Columns widened by the host's helpers stay wide.

    :raises MigrationError: for a revision that fails or has no ``downgrade``; those after it are undone.
    """
    for planned in reversed([one for one in plan.revisions(folder, manifest.slug) if one.applied]):
        before = plan.before(folder, planned.revision)
        try:
            if not plan.has_downgrade(folder, planned.revision):
                raise MigrationRefusedError(_("It has no downgrade()."))
            with guarded(manifest, engine) as guard:
                migrations.downgrade(
                    engine,
                    folder / "migrations",
                    migrations.addon_version_table(manifest.slug),
                    before or "base",
                    check=guard.compare,
                )
        except Exception as error:
            sentence = _("Migration %(revision)s could not be reverted.", revision=planned.revision)
            raise _failure(sentence, failure_of(error), _address(engine)) from error


def _patiently(apart: Migrator, config: Config, folder: Path, planned: PlannedRevision, limit: float) -> None:
    url = config.database_url
    for attempt in range(1, TRIES + 1):
        try:
            apart.upgrade(url, folder, planned.revision, limit)
            return
        except FailedError as error:
            # SQLite has been waiting for half a minute by now.
            if attempt < TRIES and not db.current().is_sqlite and error.failure.kind == "locked":
                time.sleep(attempt / 2)
                continue
            sentence = _("Migration %(revision)s failed.", revision=planned.revision)
            raise _failure(sentence, error.failure, url) from error


def _failure(sentence: str, failure: Failure, url: str) -> MigrationError:
    sqlite = url.startswith("sqlite")
    if failure.kind == "foreign":
        return _foreign(sentence, failure, url)
    if failure.kind == "refused":
        return MigrationError(f"{sentence} {failure.what}", failure.statement, failure.words)
    if failure.kind == "locked":
        seconds = 30 if sqlite else migrations.LOCK_SECONDS * TRIES
        engine = migrations.migration_engine(url)
        try:
            words = blocking.sentence(engine, seconds)
        finally:
            engine.dispose()
        return MigrationError(f"{sentence} {words}", failure.statement, failure.words)
    if failure.kind == "ended":
        why = _("The migration crashed its process. Nothing was activated.")
        return MigrationError(f"{sentence} {why}", "", failure.words)
    if failure.kind == "late":
        why = _("The migration timed out and was stopped. Nothing was activated.")
        return MigrationError(f"{sentence} {why}", "", failure.words)
    shown = failure.statement
    if not _SCHEMA.match(shown):
        shown = _TEXT.sub("'…'", shown)
    unchanged = _("Nothing was activated.")
    return MigrationError(f"{sentence} {unchanged}", shown.strip()[:4000], failure.words)


def _foreign(sentence: str, failure: Failure, url: str) -> MigrationError:
    statement = _TEXT.sub("'…'", failure.statement).strip()[:4000]
    if failure.statement:
        why = _(
            "The migration was stopped because it would change %(what)s, which the addon does not own.",
            what=failure.what,
        )
    elif url.startswith(("sqlite", "postgresql")):
        why = _(
            "The migration changed %(what)s, which the addon does not own. The change was reverted.",
            what=failure.what,
        )
    else:
        why = _(
            "The migration changed %(what)s, which the addon does not own, and this database "
            "cannot revert that. Check the table first.",
            what=failure.what,
        )
    return MigrationError(f"{sentence} {why}", statement, "")
