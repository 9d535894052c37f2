"""The contacts of the list as a file for spreadsheets."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from itertools import chain

from flask.typing import ResponseReturnValue

from host.channels.directory import Directory, current_directory
from host.core import db
from host.inbox.contacts import attributes, export, finding
from host.inbox.contacts.finding import ContactFilter, ContactRow, PersonId, Sort
from host.inbox.contacts.models import ContactAttribute
from host.inbox.contacts.pages.blueprint import bp
from host.inbox.contacts.pages.list_views import asked_for
from host.inbox.contacts.pages.shown import handle_of
from host.inbox.labels import labels
from host.web.csv_file import Cell, csv_response
from host.web.languages import Reader, reader
from host.web.languages import gettext as _
from host.web.request_helpers import Permission, workspace_view, write

PORTION = 200
"""Contacts per read: few statements, and little in memory."""


@bp.post("/w/<int:workspace_id>/contacts/export")
@workspace_view(Permission.ERASE)
def export_contacts(workspace_id: int) -> ResponseReturnValue:
    """Send the contacts that the list shows with the filter in the URL, the newest contact first."""
    directory = current_directory()
    with db.read() as session:
        known = attributes.all_of(session, workspace_id)
        every = labels.all_of(session, workspace_id)
        _chosen, filter_, _many = asked_for(session, workspace_id, directory, every, known)
    write(export.note_list)
    heads = [
        *(_("Name"), _("Email"), _("Channels"), _("IDs"), _("Labels"), _("First seen"), _("Last message")),
        *(_("Conversations"), _("Open"), _("Opted out"), _("Blocked")),
        *(one.name for one in known),
    ]
    # The file is made after the view has returned, when nothing can be translated any more.
    channels = {adapter.key: str(adapter.label) for adapter in directory.adapters}
    cells = partial(_cells, directory=directory, channels=channels, viewer=reader())
    answer = csv_response("contacts", chain([heads], _lines(workspace_id, filter_, known, cells)))
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _lines(
    workspace_id: int,
    filter_: ContactFilter,
    known: Sequence[ContactAttribute],
    cells: Callable[[ContactRow, Mapping[int, Sequence[PersonId]]], list[Cell]],
) -> Iterator[Sequence[Cell]]:
    after = None
    while True:
        with db.read() as session:
            page = finding.find(session, workspace_id, filter_, sort=Sort.NEWEST, after=after, limit=PORTION)
            values = attributes.values_of(session, [row.id for row in page.rows])
            ids = finding.ids_of(session, [one.id for row in page.rows for one in row.identities])
        for row in page.rows:
            kept = values.get(row.id, {})
            yield [*cells(row, ids), *(kept.get(one.id, "") for one in known)]
        after = page.next
        if after is None:
            return


def _cells(
    row: ContactRow,
    ids: Mapping[int, Sequence[PersonId]],
    *,
    directory: Directory,
    channels: Mapping[str, str],
    viewer: Reader,
) -> list[Cell]:
    on = [f"{channels.get(one.channel, one.channel)}: {handle_of(one, directory)}" for one in row.identities]

    def when(at: datetime | None) -> str:
        return "" if at is None else f"{viewer.local(at):%Y-%m-%d %H:%M}"

    return [
        row.name or next((one.name for one in row.identities if one.name), ""),
        row.email or "",
        "; ".join(on),
        "; ".join(
            f"{channels.get(one.channel, one.channel)}: {named.external_id}"
            for one in row.identities
            for named in ids.get(one.id, ())
        ),
        "; ".join(one.name for one in row.labels),
        when(row.created_at),
        when(row.last_message_at),
        row.conversations,
        row.open,
        when(row.opted_out_at),
        when(row.blocked_at),
    ]
