"""The list of contacts, with search, filters and sort order in the URL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta

import msgspec
from flask import render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString
from sqlalchemy.orm import Session

from host.channels.directory import Directory, current_directory
from host.core import clock, db
from host.core.ids import read_id
from host.inbox import queries
from host.inbox.contacts import attributes, finding
from host.inbox.contacts.finding import ContactFilter, ContactRow, Sort
from host.inbox.contacts.models import ContactAttribute
from host.inbox.contacts.pages.blueprint import bp
from host.inbox.contacts.pages.shown import choice_text, handle_of, name_of
from host.inbox.labels import labels
from host.inbox.labels.models import Label
from host.inbox.list_positions import position_text
from host.inbox.pages import durations
from host.inbox.pages.arguments import position_from_request
from host.live.events import newest_id
from host.search.backlog import backlog
from host.search.finding import finder
from host.search.finding.query import read_query
from host.web import navigation
from host.web.languages import reader
from host.web.request_helpers import Permission, current_user, seen_accounts, workspace_view

navigation.add_main(
    "contacts.index",
    _l("Contacts"),
    order=20,
    icon="users",
    section="/contacts",
    phone=navigation.Phone.BAR,
)

MOST_FOUND = 200
"""Maximum number of search results that the list is narrowed to."""
SORTS: Mapping[Sort, LazyString] = {
    Sort.RECENT: _l("Last message"),
    Sort.QUIET: _l("Longest silent"),
    Sort.NEWEST: _l("Newest contact"),
}
ONLY: Mapping[str, LazyString] = {
    "opted_out": _l("Opted out"),
    "blocked": _l("Blocked"),
}
SINCE: Mapping[str, tuple[LazyString, int]] = {
    "7": (_l("In the last 7 days"), 7),
    "30": (_l("In the last 30 days"), 30),
    "90": (_l("In the last 90 days"), 90),
    "quiet30": (_l("More than 30 days ago"), 30),
    "quiet365": (_l("More than a year ago"), 365),
}
"""Choices for the time of the last message, by URL value."""


class ListItem(msgspec.Struct, frozen=True):
    """A contact in the list."""

    found: ContactRow
    name: str
    handle: str
    channels: Sequence[str]
    time: str
    picture: tuple[int, str] | None


class Chosen(msgspec.Struct, frozen=True):
    """The filters and sort order in the URL."""

    q: str
    channel: str
    label: int | None
    only: str
    since: str
    attribute: int | None
    value: str
    sort: Sort

    def arguments(self) -> dict[str, str]:
        """Return the URL parameters of this choice."""
        given = {
            "q": self.q,
            "channel": self.channel,
            "label": self.label,
            "only": self.only,
            "since": self.since,
            "attribute": self.attribute,
            "value": self.value,
            "sort": "" if self.sort is Sort.RECENT else str(self.sort),
        }
        return {name: str(value) for name, value in given.items() if value}

    @property
    def narrowed(self) -> bool:
        """Whether the list is filtered."""
        return bool(set(self.arguments()) - {"sort"})


@bp.get("/w/<int:workspace_id>/contacts")
@workspace_view(Permission.READ)
def index(workspace_id: int) -> ResponseReturnValue:
    """List the contacts of the workspace, by default those with the newest message first."""
    directory, accounts = current_directory(), seen_accounts()
    after = position_from_request()
    with db.read() as session:
        follows = newest_id(session)
        known = attributes.all_of(session, workspace_id)
        every = labels.all_of(session, workspace_id)
        chosen, filter_, many = asked_for(session, workspace_id, directory, every, known)
        page = finding.find(session, workspace_id, filter_, sort=chosen.sort, after=after)
        behind = "" if page.rows or not chosen.q else backlog(session, workspace_id).contact_sentence
        there = bool(page.rows) or queries.has_accounts(session, workspace_id)
    now = clock.now()
    return render_template(
        "contacts/index.html",
        follows=follows,
        rows=[_listed(row, directory, now) for row in page.rows],
        next=None if page.next is None else position_text(page.next),
        first=after is None,
        behind=behind,
        chosen=chosen,
        sorts=SORTS,
        only=ONLY,
        since=SINCE,
        labels=every,
        attributes=known,
        words=_words(known, chosen),
        channels=[(one.key, one.label) for one in directory.adapters],
        connected=there,
        many=many,
        limited=accounts is not None,
        user_id=current_user().id,
    )


def asked_for(
    session: Session,
    workspace_id: int,
    directory: Directory,
    every: Sequence[Label],
    known: Sequence[ContactAttribute],
) -> tuple[Chosen, ContactFilter, bool]:
    """Return what the URL asks for, the filter for it, and whether its search found more than it lists.

    :param every: labels of the workspace. *known*: its attributes.
    """
    chosen = _chosen(directory, {one.id for one in every}, {one.id for one in known})
    ids = None
    if chosen.q:
        ids = finder.find_contacts(session, workspace_id, read_query(chosen.q), MOST_FOUND)
    return chosen, _filter(chosen, ids), ids is not None and len(ids) >= MOST_FOUND


def _chosen(directory: Directory, label_ids: set[int], attribute_ids: set[int]) -> Chosen:
    """Return the selection in the URL; unknown values are ignored, so that old links still work."""
    arguments = request.args
    channel = arguments.get("channel", "")
    label, attribute = (read_id(arguments.get(name, "")) for name in ("label", "attribute"))
    sort = arguments.get("sort", "")
    only, since = arguments.get("only", ""), arguments.get("since", "")
    if attribute not in attribute_ids:
        attribute = None
    return Chosen(
        q=" ".join(arguments.get("q", "").split())[:200],
        channel=channel if directory.adapter(channel) is not None else "",
        label=label if label in label_ids else None,
        only=only if only in ONLY else "",
        since=since if since in SINCE else "",
        attribute=attribute,
        value=arguments.get("value", "").strip()[: attributes.LONGEST] if attribute is not None else "",
        sort=Sort(sort) if sort in set(Sort) else Sort.RECENT,
    )


def _filter(chosen: Chosen, ids: Sequence[int] | None) -> ContactFilter:
    since = before = None
    if chosen.since:
        day = _midnight(SINCE[chosen.since][1])
        since, before = (None, day) if chosen.since.startswith("quiet") else (day, None)
    return ContactFilter(
        ids=ids,
        channel=chosen.channel or None,
        label=chosen.label,
        opted_out=True if chosen.only == "opted_out" else None,
        blocked=True if chosen.only == "blocked" else None,
        attribute=chosen.attribute,
        value=chosen.value or None,
        since=since,
        before=before,
        accounts=seen_accounts(),
    )


def _midnight(days: int) -> datetime:
    """Return the start of the day *days* ago in the reader's time zone."""
    zone = reader().zone
    day: date = clock.now().astimezone(zone).date() - timedelta(days=days)
    return datetime.combine(day, time(tzinfo=zone))


def _words(known: Sequence[ContactAttribute], chosen: Chosen) -> Sequence[tuple[str, str]]:
    """Return the choices of the selected attribute, if it has any: stored value and label."""
    found = next((one for one in known if one.id == chosen.attribute), None)
    if found is None:
        return ()
    kept: list[str] = list(found.choices or ()) or (
        [attributes.YES, attributes.NO] if found.kind == "yes_no" else []
    )
    return [(word, choice_text(word)) for word in kept]


def _listed(row: ContactRow, directory: Directory, now: datetime) -> ListItem:
    name = name_of(row.name, row.email, row.identities, directory)
    handles = dict.fromkeys(handle_of(one, directory) for one in row.identities)
    handles.pop(name, None)
    return ListItem(
        found=row,
        name=name,
        handle=" · ".join(handles) or (row.email if row.email and row.email != name else ""),
        channels=list(dict.fromkeys(one.channel for one in row.identities)),
        time="" if row.last_message_at is None else durations.since(row.last_message_at, now),
        picture=next(((one.id, one.picture) for one in row.identities if one.picture), None),
    )
