"""Run an addon's migrations: back up, rehearse, restrict them to the addon's tables, explain a failure."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path

import sqlalchemy as sa
from flask_babel import gettext as _

from host.addons.migrating import backup, blocking, plan, rehearsal
from host.addons.migrating.guarding import ForeignTableError, guarded
from host.addons.migrating.plan import PlannedRevision
from host.addons.package.failures import AddonError
from host.addons.package.manifest import Manifest
from host.core import db, migrations
from host.core.config import Config
from host.models.addons import AddonState
from host.sdk.migrations import MigrationRefusedError

TRIES = 3
"""How often a revision tries to get its locks. Between two tries the sessions behind it can go on."""

Around = Callable[[str, Callable[[], str | None]], None]
"""``around(name, do)``: run one step; *do* returns its detail."""

_SCHEMA = re.compile(r"\s*(create|alter|drop|pragma)\b", re.IGNORECASE)
_TEXT = re.compile(r"'(?:[^']|'')*'")


class MigrationError(AddonError):
    """A migration failed. Holds the statement and the database's message, no values."""

    def __init__(self, sentence: str, statement: str, database: str) -> None:
        super().__init__(sentence, state=AddonState.MIGRATION_FAILED, detail=database)
        self.statement = statement
        self.database = database


def run(config: Config, manifest: Manifest, folder: Path, around: Around) -> None:
    """Bring the tables of the addon in *folder* up to date, one call of *around* for each step.

    Does nothing if no revision is pending. Writers of this process wait while a revision runs. A revision
    that died or failed runs again from its beginning the next time; those before it stay.

    :raises MigrationError: for the first revision that fails, on the copy or for good.
    :raises AddonError: if the database could not be backed up.
    :raises plan.PlanError: if the revisions do not form one line.
    """
    todo = [planned for planned in plan.revisions(folder, manifest.slug) if not planned.applied]
    if not todo:
        return
    around(_("Back up the database"), lambda: backup.back_up(config, f"{manifest.slug}-{manifest.version}"))

    def on_the_copy(engine: sa.Engine) -> None:
        for planned in todo:
            try:
                _upgrade(engine, manifest, folder, planned.revision)
            except Exception as error:
                sentence = _("Migration %(revision)s failed on the copy.", revision=planned.revision)
                raise _failure(sentence, error, engine) from error

    around(_("Try the migrations on a copy"), lambda: rehearsal.rehearse(config, on_the_copy))
    with db.current().writing(), migrations.locked(config.database_url) as engine:
        for planned in todo:
            around(_named(planned), lambda p=planned: _patiently(engine, manifest, folder, p))  # type: ignore[misc]


def _named(planned: PlannedRevision) -> str:
    return str(_("Migration %(revision)s: %(title)s", revision=planned.revision, title=planned.title))


def _upgrade(engine: sa.Engine, manifest: Manifest, folder: Path, revision: str) -> None:
    table = migrations.addon_version_table(manifest.slug)
    with guarded(manifest, engine) as guard:
        migrations.upgrade(engine, folder / "migrations", table, revision, check=guard.compare)


def upgrade(engine: sa.Engine, manifest: Manifest, folder: Path) -> None:
    """Run every pending revision of the addon in *folder*, restricted to its tables; without a backup.

    For a throw-away database. Call it inside :func:`host.core.migrations.locked`.

    :raises MigrationError: for a revision that fails; those before it stay.
    """
    for planned in plan.revisions(folder, manifest.slug):
        if not planned.applied:
            _patiently(engine, manifest, folder, planned)


def undo(engine: sa.Engine, manifest: Manifest, folder: Path) -> None:
    """Run the ``downgrade`` of every revision of an addon in *folder*, last first, restricted to its tables.

    Call it inside :func:`host.core.migrations.locked`. Columns that the host's helpers widened stay wide.

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
            sentence = _("Migration %(revision)s could not be undone.", revision=planned.revision)
            raise _failure(sentence, error, engine) from error


def _patiently(engine: sa.Engine, manifest: Manifest, folder: Path, planned: PlannedRevision) -> None:
    for attempt in range(1, TRIES + 1):
        try:
            _upgrade(engine, manifest, folder, planned.revision)
            return
        except Exception as error:
            # SQLite has already waited half a minute.
            if attempt < TRIES and engine.dialect.name != "sqlite" and blocking.is_lock_timeout(error):
                time.sleep(attempt / 2)
                continue
            sentence = _("Migration %(revision)s failed.", revision=planned.revision)
            raise _failure(sentence, error, engine) from error


def _failure(sentence: str, error: Exception, engine: sa.Engine) -> MigrationError:
    statement, words = db.describe(error)
    if isinstance(error, ForeignTableError):
        return _foreign(sentence, error, engine)
    if isinstance(error, MigrationRefusedError):
        return MigrationError(f"{sentence} {error}", error.statement, error.way_out)
    if blocking.is_lock_timeout(error):
        seconds = 30 if engine.dialect.name == "sqlite" else migrations.LOCK_SECONDS * TRIES
        return MigrationError(f"{sentence} {blocking.sentence(engine, seconds)}", statement or "", words)
    shown = statement or ""
    if not _SCHEMA.match(shown):
        shown = _TEXT.sub("'…'", shown)
    unchanged = _("Nothing was switched on.")
    return MigrationError(f"{sentence} {unchanged}", shown.strip()[:4000], words or type(error).__name__)


def _foreign(sentence: str, error: ForeignTableError, engine: sa.Engine) -> MigrationError:
    statement = _TEXT.sub("'…'", error.statement).strip()[:4000]
    if error.statement:
        why = _(
            "It would change %(what)s, which is not the addon's; it was stopped before that.", what=error.what
        )
    elif engine.dialect.name in {"sqlite", "postgresql"}:
        why = _("It changed %(what)s, which is not the addon's; that was undone.", what=error.what)
    else:
        why = _(
            "It changed %(what)s, which is not the addon's, and this database cannot undo that: "
            "look at the table before anything else.",
            what=error.what,
        )
    return MigrationError(f"{sentence} {why}", statement, "")
