"""The page of a contact: details, notes, opt-out, block, labels, and the export."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
import sqlalchemy as sa
from flask import Response, current_app, g, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import ngettext
from sqlalchemy.orm import Session

from host.channels.directory import Directory, current_directory
from host.core import clock, db
from host.core.errors import InvalidError, LobbyError
from host.inbox.contacts import attributes, consent, details, export, finding, history, merging, people
from host.inbox.contacts.consent import blocks_at_provider
from host.inbox.contacts.finding import Identity
from host.inbox.contacts.history import (
    ConversationItem,
    TimelineEntry,
    TimelineFilter,
    TimelinePage,
    TimelinePosition,
)
from host.inbox.contacts.pages import doubles, shown
from host.inbox.contacts.pages.blueprint import CONTACT, bp, page_of
from host.inbox.contacts.pages.shown import EventView, IdView, Window, follow_state
from host.inbox.list_positions import EPOCH
from host.inbox.outreach.places import places
from host.inbox.pages import durations, text_view
from host.inbox.pages.arguments import form_id
from host.inbox.pages.outreach.shown import by_template
from host.live.events import newest_id
from host.models.channels import AccountState, ChannelAccount, ref
from host.models.inbox import Contact, ContactIdentity, Conversation
from host.models.users import User
from host.sdk.messages import MessageKind
from host.sdk.panels import Place
from host.web import message_kinds
from host.web.languages import gettext as _
from host.web.languages import number, reader
from host.web.languages import shown as language_shown
from host.web.request_helpers import (
    Permission,
    acting,
    current_user,
    flash_bad,
    flash_good,
    id_argument,
    seen_accounts,
    wants_json,
    workspace_view,
    write,
)

THUMBS = 7
"""Number of pictures, and of other files, next to the timeline."""


class Reached(msgspec.Struct, frozen=True):
    """An account on which a contact can be reached.

    :param facts: the provider's information about them, in words.
    :param ids: their ids there, if they have several.
    :param latest: the id of their newest conversation there, or None.
    """

    identity: Identity
    handle: str
    facts: str
    window: Window
    last_inbound_at: datetime | None
    latest: int | None
    link: str
    id_label: str
    refreshed_at: datetime | None
    blocked_at: datetime | None
    blockable: bool
    ids: Sequence[IdView] = ()


class TimelineItem(msgspec.Struct, frozen=True):
    """An item of the timeline: a conversation or a line, with its month and time."""

    talk: ConversationItem | None
    event: TimelineEntry | None
    line: EventView | None
    month: str
    time: str
    title: str = ""
    below: str = ""
    window: Window | None = None


@bp.get(CONTACT)
@workspace_view(Permission.READ)
def contact(workspace_id: int, contact_id: int) -> ResponseReturnValue:
    """Show the page of a contact: accounts, timeline and details."""
    return contact_page(workspace_id, contact_id)


def contact_page(
    workspace_id: int, contact_id: int, problem: LobbyError | None = None, *, at: str = ""
) -> ResponseReturnValue:
    """Return the page.

    :param problem: why the form *at* was not saved.
    """
    directory, accounts, now = current_directory(), seen_accounts(), clock.now()
    show = (
        TimelineFilter(request.args["show"])
        if request.args.get("show") in set(TimelineFilter)
        else TimelineFilter.ALL
    )
    with db.read() as session:
        follows = newest_id(session)
        found = people.get(session, workspace_id, contact_id, accounts=accounts)
        if found.id != contact_id:
            return redirect(page_of(workspace_id, found.id), 303)
        members = people.members_of(session, found.id)
        identities = finding.identities_of(session, [found.id], accounts).get(found.id, ())
        reached = _reached(session, directory, found, identities, now)
        name = shown.name_of(found.name, found.email, identities, directory)
        values = attributes.values_of(session, [found.id]).get(found.id, {})
        named = attributes.named(attributes.all_of(session, workspace_id), values)
        figures = history.figures(session, found.id, members, accounts)
        line = TimelinePage((), None)
        files: Sequence[history.SharedFile] = ()
        if show is TimelineFilter.FILES:
            below = id_argument("below")
            files = history.shared_files(
                session, found.id, accounts=accounts, below=below, limit=history.FILES + 1
            )
        else:
            before = _place_from_request()
            line = history.stretch(session, found.id, members, show, before=before, accounts=accounts)
        beside = history.shared_files(session, found.id, accounts=accounts, limit=THUMBS * 2)
        row = finding.rows_of(session, workspace_id, [found.id], accounts)[0]
        undoable = merging.merges_of(session, found.id)
        first = request.args.get("before") is None and show is TimelineFilter.ALL
        answers = g.workspace.may(Permission.ANSWER)
        ways = places(session, directory, workspace_id, found, accounts) if answers else []
        double = None
        if first and answers:
            double = doubles.likely(session, workspace_id, found, identities, accounts, directory)
        noted_by = session.get(User, found.opted_out_by) if found.opted_out_by else None
        noted_by_name = None if noted_by is None else noted_by.name
    page = render_template(
        "contacts/contact.html",
        follows=follows,
        contact=found,
        name=name,
        row=row,
        reached=reached,
        details=shown.details_of(found.name, found.email, named),
        figures=figures,
        items=_items(line, directory, undoable, reached, now),
        next=_place_text(line.next),
        show=show,
        shows=TimelineFilter,
        files=files[: history.FILES],
        files_next=files[history.FILES - 1].id if len(files) > history.FILES else None,
        thumbs=[one for one in beside if one.is_picture][:THUMBS],
        papers=[one for one in beside if one.kind == MessageKind.FILE][:4],
        double=double,
        noted_by=noted_by_name,
        source=shown.source_of(found),
        latest=max((one.latest for one in reached if one.latest), default=None),
        reply=next((one for one in reached if one.window.open and one.latest), None),
        can_write=any(one.of_another is None and not one.by_template for one in ways),
        by_template=by_template(found.id, ways),
        blockable=any(one.blockable for one in reached),
        problem=problem,
        at=at,
        now=now,
        short=durations.exact,
        moment_of=lambda at: durations.moment(at, now),
        kind_label=lambda kind: message_kinds.look_of(kind).label,
        known_endpoints=current_app.view_functions,
        answer_text=""
        if figures.answer_seconds is None
        else durations.exact(timedelta(seconds=figures.answer_seconds)),
        longest=attributes.LONGEST,
        panels=directory.panels_at(Place.CONTACT),
    )
    return page, 200 if problem is None else problem.status


def _reached(
    session: Session,
    directory: Directory,
    contact: Contact,
    identities: Sequence[Identity],
    now: datetime,
) -> list[Reached]:
    rows = {
        identity.id: (identity, account)
        for identity, account in session.execute(
            sa.select(ContactIdentity, ChannelAccount)
            .join(ChannelAccount, ChannelAccount.id == ContactIdentity.account_id)
            .where(ContactIdentity.contact_id == contact.id)
        )
    }
    talks = sa.select(
        Conversation.identity_id,
        sa.func.max(Conversation.last_inbound_at),
        sa.func.max(Conversation.id),
    ).where(Conversation.contact_id == contact.id)
    last = {row[0]: (row[1], row[2]) for row in session.execute(talks.group_by(Conversation.identity_id))}
    ids = finding.ids_of(session, [one.id for one in identities])
    found = []
    for one in identities:
        identity, account = rows[one.id]
        adapter = directory.adapter(account.channel)
        wrote_at, latest = last.get(one.id, (None, None))
        link = adapter.profile_url(one.username) if adapter is not None and one.username else None
        found.append(
            Reached(
                identity=one,
                handle=shown.handle_of(one, directory),
                facts=_facts(identity.profile, wrote_at, now),
                window=shown.window(directory, ref(account), account.state, wrote_at, now),
                last_inbound_at=wrote_at,
                latest=latest,
                link=text_view.safe(link) or "",
                id_label=shown.id_label(account.channel, directory),
                refreshed_at=identity.profile_at if identity.profile_at and identity.profile else None,
                blocked_at=identity.blocked_at,
                blockable=account.state != AccountState.DISCONNECTED
                and blocks_at_provider(adapter, ref(account)),
                ids=shown.ids_shown(ids.get(one.id, ()), one.channel, one.account, directory, now),
            )
        )
    return found


def _facts(profile: Any, wrote_at: datetime | None, now: datetime) -> str:
    """Return the provider's information about a contact in words: whether they follow, and when they
    wrote."""
    facts = profile if isinstance(profile, dict) else {}
    said: list[str] = []
    if follows := follow_state(facts):
        said.append(follows)
    if facts.get("verified") is True:
        said.append(_("verified"))
    followers = facts.get("followers")
    if isinstance(followers, int) and not isinstance(followers, bool):
        said.append(_("%(count)s followers", count=number(followers)))
    elif wrote_at is not None:
        said.append(_("last wrote %(when)s", when=durations.moment(wrote_at, now)))
    return " · ".join(said)


def _items(
    line: TimelinePage, directory: Directory, undoable: Any, reached: Sequence[Reached], now: datetime
) -> list[TimelineItem]:
    several = len(reached) > 1
    windows = {one.identity.id: one for one in reached}
    items = []
    for one in line.items:
        known = reader()
        month = known.date_text(known.local(one.at), "MMMM y")
        time = durations.since(one.at, now)
        if isinstance(one, TimelineEntry):
            items.append(TimelineItem(None, one, shown.line_of(one, undoable), month, time))
            continue
        text = one.subject or text_view.plain(one.preview)
        title = text or str(message_kinds.look_of(one.kind).label)
        there = windows.get(one.identity_id)
        waits = there.window if there is not None and one.waiting_since and one.id == there.latest else None
        handle = there.handle if several and there is not None else ""
        items.append(TimelineItem(one, None, None, month, time, title, _below(one, handle), waits))
    return items


def _below(talk: ConversationItem, handle: str) -> str:
    """Return the summary below a conversation: its length, participants and response time."""
    said = [handle] if handle else []
    said.append(ngettext("%(num)s message", "%(num)s messages", talk.messages))
    if talk.files:
        said.append(ngettext("%(num)s file", "%(num)s files", talk.files))
    if talk.assignee:
        you = talk.assignee_id == current_user().id
        said.append(_("with you") if you else _("with %(name)s", name=talk.assignee))
    if talk.answered is not None:
        length = durations.exact(timedelta(seconds=talk.answered))
        said.append(_("first reply after %(length)s", length=length))
    return " · ".join(said)


def _place_from_request() -> TimelinePosition | None:
    """Return the timeline position in the URL.

    :raises InvalidError: if it is malformed.
    """
    text = request.args.get("before", "")
    if not text:
        return None
    rank, dash, _rest = text.partition("-")
    if rank not in {"0", "1"} or not dash:
        raise InvalidError()
    numbers = _numbers(text[2:])
    try:
        return TimelinePosition(EPOCH + timedelta(microseconds=numbers[0]), int(rank), numbers[1])
    except OverflowError:
        raise InvalidError() from None


def _numbers(text: str) -> tuple[int, int]:
    first, dash, second = text.partition("-")
    if not (dash and first.isascii() and first.isdigit() and second.isascii() and second.isdigit()):
        raise InvalidError()
    if len(first) > 18 or len(second) > 18:
        raise InvalidError()
    return int(first), int(second)


def _place_text(place: TimelinePosition | None) -> str | None:
    if place is None:
        return None
    micros = (place.at - EPOCH) // timedelta(microseconds=1)
    return f"{place.rank}-{micros}-{place.id}"


# ---- changes ------------------------------------------------------------------------------------------


def _back(workspace_id: int, contact_id: int) -> ResponseReturnValue:
    """Redirect to the page with the form: the contact's, or the conversation's if its pane had the form."""
    if wants_json():
        return jsonify(ok=True)
    conversation = form_id("conversation")
    if conversation is not None:
        address = url_for(
            "inbox.conversation", workspace_id=workspace_id, conversation_id=conversation, pane="contact"
        )
        return redirect(address, 303)
    return redirect(page_of(workspace_id, contact_id), 303)


def _written(
    workspace_id: int, contact_id: int, at: str, use_case: Callable[[], object], sentence: str = ""
) -> ResponseReturnValue:
    """Run *use_case* and redirect; if it refused, show the page with the reason and the entered values."""
    try:
        use_case()
    except LobbyError as error:
        if wants_json() or error.status == 404:
            raise
        if form_id("conversation") is not None:
            flash_bad(f"{error.sentence} {error.next_step}")
            return _back(workspace_id, contact_id)
        return contact_page(workspace_id, contact_id, error, at=at)
    if sentence and not wants_json():
        flash_good(sentence)
    return _back(workspace_id, contact_id)


@bp.post(f"{CONTACT}/details")
@workspace_view(Permission.ANSWER)
def change_contact(workspace_id: int, contact_id: int) -> ResponseReturnValue:
    """Change the detail that the form names."""
    field = request.form.get("field", "")
    return _written(
        workspace_id,
        contact_id,
        field,
        lambda: write(details.change, contact_id, {field: request.form.get("value", "")}),
    )


@bp.post(f"{CONTACT}/notes")
@workspace_view(Permission.ANSWER)
def add_contact_note(workspace_id: int, contact_id: int) -> ResponseReturnValue:
    """Add a note about the contact."""
    return _written(
        workspace_id,
        contact_id,
        "note",
        lambda: write(details.add_note, contact_id, request.form.get("text", "")),
    )


@bp.post(f"{CONTACT}/notes/<int:entry_id>/delete")
@workspace_view(Permission.ANSWER)
def delete_contact_note(workspace_id: int, contact_id: int, entry_id: int) -> ResponseReturnValue:
    """Delete a note about the contact."""
    return _written(
        workspace_id,
        contact_id,
        "note",
        lambda: write(details.delete_note, contact_id, entry_id),
        _("Note deleted."),
    )


@bp.post(f"{CONTACT}/opt-out")
@workspace_view(Permission.ANSWER)
def opt_contact_out(workspace_id: int, contact_id: int) -> ResponseReturnValue:
    """Record that the contact opted out of automated messages, or with ``in`` that they opted in again."""
    if request.form.get("in") == "1":
        return _written(workspace_id, contact_id, "source", lambda: write(consent.opt_in, contact_id))
    source = request.form.get("source", "")
    return _written(workspace_id, contact_id, "source", lambda: write(consent.opt_out, contact_id, source))


@bp.post(f"{CONTACT}/block")
@workspace_view(Permission.ANSWER)
def block_contact(workspace_id: int, contact_id: int) -> ResponseReturnValue:
    """Block the contact, here and at providers that support it, or with ``off`` unblock them."""
    on = request.form.get("off") != "1"

    def use_case() -> None:
        missed = consent.block(acting(), current_directory(), contact_id, on=on)
        for one in missed:
            what = _("Blocked here, not at %(channel)s:") if on else _("Unblocked here, not at %(channel)s:")
            flash_bad(f"{what % {'channel': one.label}} {one.sentence}")
        if not missed and not wants_json():
            flash_good(_("Contact blocked.") if on else _("Contact unblocked."))

    return _written(workspace_id, contact_id, "block", use_case)


@bp.post(f"{CONTACT}/export")
@workspace_view(Permission.ERASE)
def export_contact(workspace_id: int, contact_id: int) -> ResponseReturnValue:
    """Send a zip with all data of the contact."""
    found = write(export.summary, contact_id)
    known = reader()
    words = export.ExportTexts(
        language=language_shown(),
        name=_("Name"),
        email=_("Email"),
        details=_("Details"),
        identities=_("Contact channels"),
        notes=_("Notes about them"),
        conversation=_("Conversation"),
        customer=_("Customer"),
        team=_("Team"),
        note=_("private note"),
        not_kept=_("not stored here"),
        when=lambda at: f"{known.date_text(known.local(at), 'd MMM y')}, {known.local(at):%H:%M}",
        left_out=lambda accounts, conversations: _(
            "You see only some accounts. Left out: accounts: %(accounts)s, conversations: %(conversations)s.",
            accounts=accounts,
            conversations=conversations,
        ),
    )
    answer = Response(export.pieces(workspace_id, found, words), mimetype="application/zip")
    answer.headers["Content-Disposition"] = f'attachment; filename="contact-{found.contact_id}.zip"'
    answer.headers["Cache-Control"] = "no-store"
    return answer
