"""Run an addon's migrations up, again, down and up on an empty database, and compare the schemas."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
from pathlib import Path

import sqlalchemy as sa
from flask_babel import gettext as _
from sqlalchemy.orm import DeclarativeBase

from host.addons.migrating import plan, runner, snapshot
from host.addons.package.failures import AddonError, place_in
from host.addons.package.manifest import Manifest
from host.addons.running import loader
from host.addons.running.loader import LoadedRelease
from host.authoring.customers import MadeUpChannel
from host.core import db, migrations
from host.sdk.i18n import noop
from host.sdk.migrations import enum_to_varchar

NOT_WIDENED = noop(
    "It adds the channel %(channel)s, but no migration widens conversations.channel: call "
    'enum_to_varchar(op, "conversations", "channel") of host.sdk.migrations in upgrade().'
)


class TrialError(Exception):
    """The migrations break a rule. The message is one sentence."""


def run(manifest: Manifest, folder: Path, url: str) -> str:
    """Try the migrations of the addon in *folder* on the empty database *url*; return the steps.

    :raises TrialError: for the first rule that is broken.
    """
    if migrations.state(url) is not migrations.State.EMPTY:
        raise TrialError(_("The database is not empty, and the trial leaves tables behind. Make a new one."))
    migrations.upgrade_host(url)
    database = db.connect(url)
    try:
        return _run(manifest, folder, url)
    finally:
        database.dispose()


def _run(manifest: Manifest, folder: Path, url: str) -> str:
    try:
        revisions = [one.revision for one in plan.revisions(folder, manifest.slug)]
        if not revisions:
            if _new_channels(manifest):
                raise TrialError(_(NOT_WIDENED, channel=_new_channels(manifest)[0]))
            if manifest.declares.tables:
                raise TrialError(_("addon.toml declares tables, but no migration makes any."))
            return str(_("there are none"))
        with migrations.locked(url) as engine:
            before = _taken(engine)
            runner.upgrade(engine, manifest, folder)
            first = _taken(engine)
            _check_widened(manifest, engine)
            _check_tables(manifest, engine)
            _check_models(manifest, folder, engine)
            _forget(engine, manifest)
            runner.upgrade(engine, manifest, folder)
            _same(first, _taken(engine), _("Run again from the beginning, they leave other tables behind."))
            runner.undo(engine, manifest, folder)
            _gone(before, _taken(engine), manifest)
            runner.upgrade(engine, manifest, folder)
            _same(first, _taken(engine), _("After down and up, the tables are not what they were."))
    except (AddonError, plan.PlanError) as error:
        words = (
            str(error),
            getattr(error, "statement", ""),
            getattr(error, "detail", ""),
            _place(folder, str(error)),
        )
        raise TrialError(" ".join(word for word in words if word)) from error
    done = _("up, checked, up again, down, up: %(names)s", names=", ".join(revisions))
    return f"{done} ({database_name(url)})"


def _new_channels(manifest: Manifest) -> list[str]:
    """Return the channels that the host's own tables do not take."""
    return [channel for channel in manifest.channels if channel != MadeUpChannel.key]


def _check_widened(manifest: Manifest, engine: sa.Engine) -> None:
    channels = _new_channels(manifest)
    if channels:
        with engine.begin() as connection:
            if enum_to_varchar(connection, "conversations", "channel"):
                raise TrialError(_(NOT_WIDENED, channel=channels[0]))


def _place(folder: Path, sentence: str) -> str:
    """Return file and line of ``upgrade`` or ``downgrade`` of the revision that *sentence* names."""
    for path in sorted((folder / "migrations" / "versions").glob("*.py")):
        try:
            body = ast.parse(path.read_bytes()).body
        except (SyntaxError, ValueError) as error:
            if path.name in sentence:
                return f"({place_in(folder, str(path), getattr(error, 'lineno', None) or 1)})"
            continue
        constants = {
            target.id: node.value.value
            for node in body
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        if re.search(rf"\b{re.escape(str(constants.get('revision')))}\b", sentence):
            wanted = "downgrade" if "downgrade" in sentence else "upgrade"
            lines = [one.lineno for one in body if isinstance(one, ast.FunctionDef) and one.name == wanted]
            return f"({place_in(folder, str(path), next(iter(lines), 1))})"
    return ""


def database_name(url: str) -> str:
    """Return the kind of database at *url*, for people."""
    return sa.engine.make_url(url).get_dialect().name


def _taken(engine: sa.Engine) -> snapshot.Snapshot:
    with engine.connect() as connection:
        return snapshot.of_database(connection)


def _forget(engine: sa.Engine, manifest: Manifest) -> None:
    """Delete the record that the revisions ran, as if the process had died right before writing it."""
    table = sa.table(migrations.addon_version_table(manifest.slug))
    with engine.begin() as connection:
        connection.execute(sa.delete(table))


def _same(one: snapshot.Snapshot, other: snapshot.Snapshot, sentence: str) -> None:
    if one.tables != other.tables:
        names = {
            name for name in {*one.tables, *other.tables} if one.tables.get(name) != other.tables.get(name)
        }
        raise TrialError(f"{sentence} ({', '.join(sorted(names))})")


def _gone(before: snapshot.Snapshot, after: snapshot.Snapshot, manifest: Manifest) -> None:
    left = set(after.tables) - set(before.tables) - {migrations.addon_version_table(manifest.slug)}
    if left:
        raise TrialError(_("downgrade() leaves %(tables)s behind.", tables=", ".join(sorted(left))))


def _check_tables(manifest: Manifest, engine: sa.Engine) -> None:
    missing = set(manifest.declares.tables) - set(sa.inspect(engine).get_table_names())
    if missing:
        names = ", ".join(sorted(missing))
        raise TrialError(_("addon.toml declares %(names)s, which no migration makes.", names=names))


def _check_models(manifest: Manifest, folder: Path, engine: sa.Engine) -> None:
    """Compare the addon's models with the tables of the migrations: columns and their nullability."""
    inspector = sa.inspect(engine)
    release = loader.load(manifest, folder, "c" * 64, None)
    for table in _tables(release):
        found = {each["name"]: bool(each["nullable"]) for each in inspector.get_columns(table.name)}
        wanted = {column.name: bool(column.nullable) for column in table.columns}
        if found != wanted:
            odd = sorted(name for name in {*found, *wanted} if found.get(name) != wanted.get(name))
            raise TrialError(
                _(
                    "The model of %(table)s and its migration differ in: %(columns)s.",
                    table=table.name,
                    columns=", ".join(odd),
                )
            )


def _tables(release: LoadedRelease) -> list[sa.Table]:
    """Return the tables of every model in the addon's package."""
    package = importlib.import_module(release.module_name)
    found: dict[str, sa.Table] = {}
    for info in pkgutil.walk_packages(
        [str(release.folder / release.manifest.package)], f"{package.__name__}."
    ):
        for value in vars(importlib.import_module(info.name)).values():
            if (
                isinstance(value, type)
                and issubclass(value, DeclarativeBase)
                and value is not DeclarativeBase
            ):
                metadata = getattr(value, "metadata", None)
                if metadata is not None and metadata is not db.Base.metadata:
                    found.update(metadata.tables)
    return list(found.values())
