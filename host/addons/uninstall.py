"""Remove an addon: keep its data, export it first, or delete it for good.

None of the addon's code runs here: it may be broken, which may be the reason for its removal.
"""

from __future__ import annotations

import base64
import json
import tempfile
import zipfile
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from itertools import chain
from typing import IO, Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.addons import records, setting_forms
from host.addons.operation_lock import operation
from host.addons.package import store
from host.addons.package.failures import AddonError
from host.addons.package.manifest import from_dict
from host.addons.running import held_webhooks
from host.channels.accounts import disconnect_account
from host.channels.directory import Directory
from host.core import clock, db, migrations
from host.core.config import Config
from host.core.migrations import addon_version_table
from host.delivery import held_lanes
from host.features import registry
from host.models.addons import Addon, AddonPublisher, AddonRelease, AddonState, Operation
from host.models.channels import AccountState, ChannelAccount
from host.models.inbox import Conversation
from host.models.users import InstallationValue, Workspace
from host.queue import outbox
from host.users.actor import DESK, Actor
from host.web.languages import gettext as _

_IN_MEMORY = 8 * 1024 * 1024


class StoredData(msgspec.Struct, frozen=True):
    """The stored data of an addon, for the page that asks whether to keep it.

    :param tables: its existing tables, with their row counts.
    :param waiting: number of events that were received but not applied when it was deactivated.
    """

    slug: str
    tables: dict[str, int]
    channels: tuple[str, ...]
    accounts: int
    conversations: int
    waiting: int


def held(slug: str) -> StoredData:
    """Return the stored data of the addon *slug*.

    :raises AddonError: if it is not installed.
    """
    with db.read() as session:
        _installed(session, slug)
        channels = _channels(session, slug)
        rows = {
            name: session.scalar(sa.select(sa.func.count()).select_from(sa.table(name))) or 0
            for name in _tables(session, slug)
        }
        connected = sa.select(sa.func.count()).where(
            ChannelAccount.channel.in_(channels), ChannelAccount.state != AccountState.DISCONNECTED
        )
        conversations = sa.select(sa.func.count()).where(Conversation.channel.in_(channels))
        return StoredData(
            slug,
            rows,
            tuple(channels),
            session.scalar(connected) or 0,
            session.scalar(conversations) or 0,
            held_lanes.count_waiting(session, channels),
        )


class StoppedAutomation(msgspec.Struct, frozen=True):
    """A rule, a campaign or an assistant that cannot run without an addon.

    :param kind: ``rule``, ``campaign`` or ``assistant``.
    :param account: the account where an assistant stops; empty for rules and campaigns.
    """

    kind: str
    name: str
    workspace: str
    account: str = ""


def stopped_automation(slug: str, directory: Directory) -> list[StoppedAutomation]:
    """Return the automation in all workspaces that cannot run without the addon *slug*.

    These are live and shadow rules, and assistants on accounts of its channels.
    """
    found = []
    with db.read() as session:
        channels = _channels(session, slug)
        using = sa.select(ChannelAccount.workspace_id).where(ChannelAccount.channel.in_(channels))
        query = (
            sa.select(Workspace.id, Workspace.name).where(Workspace.id.in_(using)).order_by(Workspace.name)
        )
        without = directory.without(slug, channels)
        for workspace_id, workspace in session.execute(query):
            stopped = registry.hooks().stopped_without(
                session=session, workspace_id=workspace_id, directory=without, channels=channels
            )
            found += [
                StoppedAutomation(kind, name, workspace, account)
                for kind, name, account in chain.from_iterable(stopped)
            ]
    return found


def _installed(session: Session, slug: str) -> Addon:
    row = session.get(Addon, slug)
    if row is None:
        raise AddonError(_("The addon %(slug)s is not installed.", slug=slug))
    return row


def _manifests(session: Session, slug: str) -> list[Any]:
    query = sa.select(AddonRelease.manifest).where(AddonRelease.slug == slug)
    return [from_dict(manifest) for manifest in session.scalars(query)]


def _channels(session: Session, slug: str) -> list[str]:
    """Return every channel of any known release of the addon."""
    return sorted({channel for manifest in _manifests(session, slug) for channel in manifest.channels})


def _tables(session: Session, slug: str) -> list[str]:
    """Return the addon's existing tables, as declared by any known release."""
    there = set(sa.inspect(session.connection()).get_table_names())
    declared = {name for manifest in _manifests(session, slug) for name in manifest.declares.tables}
    return sorted(name for name in declared & there if name.startswith(f"{slug}_"))


# Export


def export(slug: str, *, actor: Actor = DESK) -> IO[bytes]:
    """Return a zip, open for reading, with a file of JSON lines for each of the addon's tables.

    Bytes are base64, times ISO 8601. Credentials are sealed in it, as in the database.

    :raises AddonError: if the addon is not installed.
    """
    file: IO[bytes] = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 - the caller closes it
    with db.snapshot() as session:
        row = _installed(session, slug)
        release = session.get_one(AddonRelease, row.release_id)
        about = {"slug": slug, "version": release.version, "exported_at": clock.now().isoformat()}
        names = _tables(session, slug)
        metadata = sa.MetaData()
        metadata.reflect(session.connection(), only=names, resolve_fks=False)
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as zipped:
            zipped.writestr("export.json", json.dumps({**about, "tables": names}, indent=1) + "\n")
            for name in names:
                with zipped.open(f"{name}.jsonl", "w", force_zip64=True) as out:
                    for line in _lines(session, metadata.tables[name]):
                        out.write(line)
    db.write(lambda session: records.audit(session, actor, "addon.exported", slug))
    file.seek(0)
    return file


def _lines(session: Session, table: sa.Table) -> Iterator[bytes]:
    rows = session.execute(sa.select(table).execution_options(yield_per=500))
    for row in rows.mappings():
        plain = {name: _plain(value) for name, value in row.items()}
        yield (json.dumps(plain, ensure_ascii=False) + "\n").encode("utf-8", "surrogatepass")


def _plain(value: Any) -> Any:
    if isinstance(value, bytes | memoryview):
        return base64.b64encode(bytes(value)).decode()
    if isinstance(value, datetime | date):
        return value.isoformat()
    return str(value) if isinstance(value, Decimal) else value


# Removal


def remove(config: Config, slug: str, *, actor: Actor = DESK) -> None:
    """Remove the inactive addon *slug* from the list. Its tables, accounts and conversations stay.

    :raises AddonError: if it runs or is not installed.
    :raises BusyError: if another addon operation is running.
    """
    with operation(config, slug):
        db.write(records.removed, slug, actor)
        _forget_files(config)


def purge(config: Config, slug: str, *, actor: Actor = DESK) -> list[str]:
    """Remove the inactive addon *slug* with all its data; return the names of the dropped tables.

    Its accounts are disconnected. Conversations stay: they belong to the desk. It can be rerun after an
    interruption.

    :raises AddonError: if it runs or is not installed.
    :raises BusyError: if another addon operation is running.
    """
    with operation(config, slug):
        with db.read() as session:
            row = _installed(session, slug)
            if row.state in (AddonState.ACTIVE, AddonState.ACTIVATING):
                raise AddonError(_("Deactivate the addon first. Nothing was removed."))
            names = _tables(session, slug)
        db.write(_purging, slug, names, actor)
        _drop(config, slug, names)
        db.write(_purged, slug, names, actor)
        _forget_files(config)
        return names


def _purging(session: Session, slug: str, names: list[str], actor: Actor) -> None:
    records.audit(session, actor, "addon.purge_started", slug, tables=", ".join(names)[:300])
    row = _installed(session, slug)
    row.state, row.wanted, row.error = AddonState.INACTIVE, False, None
    records.begin(session, slug, Operation.REMOVING, clock.now())
    query = sa.select(ChannelAccount.id).where(
        ChannelAccount.channel.in_(_channels(session, slug)),
        ChannelAccount.state != AccountState.DISCONNECTED,
    )
    for account_id in session.scalars(query).all():
        disconnect_account(session, account_id)
        outbox.resume_account(session, account_id)


def _drop(config: Config, slug: str, names: list[str]) -> None:
    """Drop the addon's tables, first the one that records its migrations.

    Without it, reactivating the addon recreates tables that are missing after a crash.
    """
    with (
        db.current().writing(),
        migrations.locked(config.database_url) as engine,
        engine.connect() as connection,
    ):
        version_table = addon_version_table(slug)
        there = set(sa.inspect(connection).get_table_names())
        if version_table in there:
            sa.Table(version_table, sa.MetaData()).drop(connection)
        metadata = sa.MetaData()
        metadata.reflect(connection, only=[name for name in names if name in there])
        # Reflection also found the host's tables they refer to.
        for table in reversed([table for table in metadata.sorted_tables if table.name in names]):
            table.drop(connection)
        connection.commit()


def _purged(session: Session, slug: str, names: list[str], actor: Actor) -> None:
    records.audit(session, actor, "addon.purged", slug, tables=", ".join(names)[:300])
    held_webhooks.delete_of(session, slug)
    setting_forms.delete_of(session, slug)
    reason = _("The addon was uninstalled before this was applied.")
    held_lanes.give_up(session, _channels(session, slug), str(reason))
    publisher = session.get(AddonPublisher, slug)
    if publisher is not None:
        session.delete(publisher)
    session.execute(sa.delete(InstallationValue).where(InstallationValue.name.startswith(f"job:{slug}:")))
    session.delete(_installed(session, slug))
    session.flush()
    session.execute(sa.delete(AddonRelease).where(AddonRelease.slug == slug))


def _forget_files(config: Config) -> None:
    with db.read() as session:
        keep = {store.as_release(row).folder_name for row in session.scalars(sa.select(AddonRelease))}
    store.forget_unused(config.data, keep)
