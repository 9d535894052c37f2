"""The views that act on a conversation: reply, note, assign, close, react, hide, send again, erase.

Each takes a form, calls one use case, and redirects to the page. A browser with scripts requests JSON instead
and stays on the page.
"""

from __future__ import annotations

import unicodedata
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, cast

from flask import jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import ngettext
from sqlalchemy.orm import Session

from host.channels.directory import current_directory
from host.channels.pages.messaging import Messaging
from host.core import clock, db
from host.core.cleaning import clean_written
from host.core.errors import ConflictError, InvalidError, LobbyError
from host.features import registry
from host.inbox import (
    conversation_actions,
    erasure,
    mentions,
    notes,
    presence,
    reacting,
    thread_control,
    variables,
)
from host.inbox.canned import replies
from host.inbox.conversation_actions import Changes
from host.inbox.conversations import check_message, conversation_row
from host.inbox.errors import (
    AnsweredMeanwhileError,
    ChangedMeanwhileError,
    ConversationNotFoundError,
    ProviderRefusedError,
)
from host.inbox.kept_drafts import drafts as kept_drafts
from host.inbox.kept_drafts.content import Mode
from host.inbox.messages import load_messages
from host.inbox.pages.arguments import filter_from_request, form_id
from host.inbox.pages.composer import ComposerState, drafts_from_request
from host.inbox.pages.composition.shown import signature_of
from host.inbox.pages.context import bp, opened_inbox, with_conversation
from host.inbox.pages.conversation_view import name_of
from host.inbox.pages.inbox_page import inbox_page, render_messages
from host.inbox.pages.message_view import activity
from host.inbox.pages.send_times import time_from_form
from host.inbox.queries import Row
from host.inbox.reply import AT_ONCE, Hold, Overflow, parts_of, policy_for, queue_parts
from host.inbox.sendable import NotSendableError
from host.inbox.unsent import resending, undo
from host.live.following import follows
from host.media.limits import MAX_BYTES
from host.models.channels import AccountState
from host.models.inbox import ConversationStatus, Message, PresenceState, Snooze, SnoozeKind
from host.queue import outbox, signals
from host.queue.signals import Signal
from host.sdk.channel import ChannelAdapter, ReplyState
from host.sdk.text import TextUnit, length, truncate
from host.users.actor import UnitOfWork
from host.users.pages.sudo import fresh_password
from host.web.languages import gettext as _
from host.web.request_helpers import (
    Permission,
    acting,
    body_limit,
    current_user,
    flash_bad,
    flash_good,
    flashing,
    form_number,
    id_in,
    passive,
    seen_accounts,
    wants_json,
    workspace_view,
    write,
)
from host.web.template_filters import initials, tone

CONVERSATION = "/w/<int:workspace_id>/inbox/<int:conversation_id>"
FORM_BYTES = 1024 * 1024
"""Maximum bytes of a reply's form, besides the one large file that it may contain without scripts."""


def redirect_back(workspace_id: int, conversation_id: int) -> ResponseReturnValue:
    """Redirect to a conversation, in the list it was opened from."""
    arguments: dict[str, Any] = dict(filter_from_request(current_directory()).arguments())
    address = url_for(
        "inbox.conversation", workspace_id=workspace_id, conversation_id=conversation_id, **arguments
    )
    return redirect(address, 303)


def answer_done(workspace_id: int, conversation_id: int) -> ResponseReturnValue:
    """Answer an action: with JSON for scripts, else back at the conversation."""
    return jsonify(ok=True) if wants_json() else redirect_back(workspace_id, conversation_id)


# Replies and notes


@bp.post(f"{CONVERSATION}/reply")
@body_limit(MAX_BYTES + FORM_BYTES)
@workspace_view(Permission.ANSWER)
@with_conversation
def reply(workspace_id: int, row: Row) -> ResponseReturnValue:
    """Send a reply with its copies, subject, quote and files."""
    adapter = current_directory().adapter(row.channel)
    author_id = current_user().id

    def use_case() -> list[Message]:
        drafts = drafts_from_request(workspace_id, author_id, adapter, signature_from_form(row, author_id))
        hold, seen_id = hold_from_form(), form_id("seen")
        note = beside_from_form(hold)

        def queue(work: UnitOfWork) -> list[Message]:
            messages = queue_parts(
                work,
                row.id,
                drafts,
                reply_key=request.form.get("reply_key", ""),
                adapter=adapter,
                overflow=_overflow(row),
                seen_id=seen_id,
                hold=hold,
            )
            note(work, messages)
            draft_sent(work, row.id, "reply")
            return messages

        return write(queue)

    return show_written(workspace_id, row.id, "reply", use_case)


def draft_sent(work: UnitOfWork, conversation_id: int, mode: Mode) -> None:
    """Remove the content of the submitted form from the person's draft."""
    kept_drafts.sent(
        work.session,
        user_id=current_user().id,
        conversation_id=conversation_id,
        mode=mode,
        version=form_number("draft_version"),
        text=request.form.get("text", "").replace("\r\n", "\n"),  # as browsers send the lines of a form
        now=work.now,
    )


def beside_from_form(hold: Hold) -> Callable[[UnitOfWork, Sequence[Message]], None]:
    """Return the side effects of the submitted form, for the write that queues its messages.

    They count used canned replies, record a used suggestion, and close, snooze or reopen the conversation
    if requested.
    """
    used = {id_in(one) for one in request.form.getlist("canned")[: replies.MOST_FILES]}
    suggested, along = form_id("suggestion"), reopening_from_form()
    if hold.at is None:
        along = {**along, **_ALONG.get(request.form.get("then", ""), {})}

    def note(work: UnitOfWork, messages: Sequence[Message]) -> None:
        if messages[0].created_at == work.now:  # otherwise it is a repeated request, already counted
            replies.note_used(work.session, work.workspace_id, used, work.now)
            if suggested is not None:
                registry.hooks().suggestion_sent(
                    session=work.session,
                    suggestion_id=suggested,
                    message=messages[-1],
                    user_id=current_user().id,
                    accounts=work.accounts,
                    now=work.now,
                )
        if along:
            conversation_actions.set_fields(work, messages[0].conversation_id, along)

    return note


def signature_from_form(row: Row, user_id: int) -> str:
    """Return the signature for the reply in the submitted form; empty for none."""
    adapter = current_directory().adapter(row.channel)
    if request.form.get("signature") != "1" or adapter is None or not adapter.capabilities.signatures:
        return ""
    with db.read() as session:
        found = signature_of(session, row, adapter, user_id)
    return "" if found is None else found.text


def reopening_from_form() -> Changes:
    """Return the change that reopens a conversation that was closed while the submitted form was written."""
    return {"status": ConversationStatus.OPEN} if request.form.get("reopen") == "1" else {}


_ALONG: dict[str, Changes] = {
    undo.CLOSE: {"status": ConversationStatus.CLOSED},
    undo.SNOOZE: {"snooze": Snooze(SnoozeKind.REPLY)},
}
"""Changes that can be made together with sending, by their name in the form."""
MOST_KEPT = 100_000
"""Maximum characters of the scripts' data of a reply, used to restore the composer when it is undone."""


def hold_from_form() -> Hold:
    """Return how long to hold the reply: until the chosen time, or as long as it can be undone.

    A form without ``undo`` is not the composer's, and is sent immediately.

    :raises SendTimeError: if its time is invalid.
    """
    at = time_from_form()
    if at is None and request.form.get("undo") != "1":
        return AT_ONCE
    noted = request.form.get("draft", "")
    kept = {
        "draft": {
            "text": request.form.get("text", ""),
            "reply_to": _quoted(),
            "composer": noted if len(noted) <= MOST_KEPT else "",
        },
        "then": request.form.get("then", ""),
    }
    return Hold(at, unless_written=request.form.get("unless_written") == "1", undo=kept)


def _overflow(row: Row) -> Overflow:
    """Return what to do with a text that is too long: the form's choice, or else the account's setting."""
    chosen = request.form.get("overflow") or str(row.account.settings.get("overflow") or "split")
    return cast(Overflow, chosen)  # the use case refuses invalid values


@bp.post(f"{CONVERSATION}/note")
@workspace_view(Permission.ANSWER)
def note(workspace_id: int, conversation_id: int) -> ResponseReturnValue:
    """Add a private note."""

    def add(work: UnitOfWork) -> list[Message]:
        note_ = notes.add_note(
            work,
            conversation_id,
            text=request.form.get("text", ""),
            reply_key=request.form.get("reply_key", ""),
            mentioned=mentioned_ids("mention"),
            teams=mentioned_ids("mention_team"),
            typed=True,
        )
        draft_sent(work, conversation_id, "note")
        return [note_]

    return show_written(workspace_id, conversation_id, "note", lambda: write(add))


def mentioned_ids(field: str) -> set[int]:
    """Return the ids in a field of the form, one more than may be mentioned at most."""
    return {id_in(one) for one in request.form.getlist(field)[: mentions.MOST + 1]}


@bp.get(f"{CONVERSATION}/people")
@workspace_view(Permission.ANSWER)
@with_conversation
def people(workspace_id: int, row: Row) -> ResponseReturnValue:
    """Return the members and teams a note can mention, each with whether they would be notified."""
    with opened_inbox(workspace_id) as inbox:
        found = mentions.people(inbox.session, workspace_id, row.account.id)
        teams = mentions.groups(inbox.session, workspace_id, found)
        here = {one["user"] for one in inbox.here() if one["conversation"] == row.id}
    own = current_user().id
    return jsonify(
        people=[
            {**_listed(one), "initials": initials(one.name), "tone": tone(one.id), "here": one.id in here}
            for one in found
            if one.id != own
        ],
        teams=[_listed(one) for one in teams],
    )


def _listed(one: mentions.MentionablePerson | mentions.MentionableTeam) -> dict[str, Any]:
    return {"id": one.id, "name": one.name, "reached": one.reached}


def show_written(
    workspace_id: int, conversation_id: int, mode: str, use_case: Callable[[], list[Message]]
) -> ResponseReturnValue:
    """Run *use_case* and show the created messages; if it refused, show the reason and keep the text."""
    try:
        messages = use_case()
    except ConversationNotFoundError:
        raise
    except LobbyError as error:
        return refused(error, workspace_id, conversation_id, mode)
    if not wants_json():
        return redirect_back(workspace_id, conversation_id)
    shown_ = messages_html(workspace_id, conversation_id, [message.id for message in messages])
    return jsonify(messages=shown_, reply_key=uuid.uuid4().hex, ids=[message.id for message in messages])


def refused(error: LobbyError, workspace_id: int, conversation_id: int, mode: str) -> ResponseReturnValue:
    """Show the error for the form *mode* of the composer, and keep the entered values."""
    if not wants_json():
        return inbox_page(workspace_id, conversation_id, state_from_form(error, mode)), error.status
    more: dict[str, Any] = {}
    if isinstance(error, AnsweredMeanwhileError):
        shown_ = messages_html(workspace_id, conversation_id, error.newer)
        more = {"newer": shown_, "seen": max(error.newer), "closed": error.closed}
    return refusal(error, **more)


def refusal(error: LobbyError, **more: Any) -> ResponseReturnValue:
    """Return a refused form's error as JSON."""
    body: dict[str, Any] = {"code": error.code, "message": str(_(error.sentence)), "next": error.next_step}
    return jsonify(error=body | more, reply_key=uuid.uuid4().hex), error.status


def state_from_form(error: LobbyError, mode: str) -> ComposerState:
    """Return the entered values of the composer's form *mode*, with the *error* that refused it."""
    return ComposerState(
        request.form.get("text", ""),
        str(_(error.sentence)),
        error.next_step,
        mode,
        _quoted(),
        to=request.form.get("to"),
        cc=request.form.get("cc"),
        bcc=request.form.get("bcc", ""),
        subject=request.form.get("subject", ""),
        own_address=request.form.get("own_address", ""),
        reopens=isinstance(error, AnsweredMeanwhileError) and error.closed,
    )


def messages_html(workspace_id: int, conversation_id: int, ids: Sequence[int]) -> str:
    """Return messages as the thread shows them."""
    with opened_inbox(workspace_id) as inbox:
        row = inbox.row(conversation_id)
        entries = inbox.shown(row, load_messages(inbox.session, workspace_id, conversation_id, list(ids)))
    return render_messages(inbox, row, entries)


def _quoted() -> int | None:
    """Return the id of the message the form quotes; None for an invalid field."""
    try:
        return form_id("reply_to")
    except InvalidError:
        return None


@bp.post(f"{CONVERSATION}/overflow")
@passive
@workspace_view(Permission.ANSWER)
@with_conversation
def overflow(workspace_id: int, row: Row) -> ResponseReturnValue:
    """Return the parts that a text over the limit would become, without sending; empty if it fits."""
    adapter = current_directory().adapter(row.channel)
    text = clean_written(request.form.get("text", ""))
    limit = adapter.capabilities.text_limit if adapter is not None else None
    if limit is None or length(text, limit.unit) <= limit:
        return jsonify(html="", count=1 if text else 0)
    kept = truncate(text, limit)
    parts = parts_of(text, limit, "split")
    html = render_template(
        "inbox/_overflow.html",
        parts=[(part, length(part, limit.unit)) for part in parts],
        kept=kept,
        cut=text[len(kept) :],
        limit=limit,
        in_bytes=limit.unit is TextUnit.BYTES,
        choice="truncate" if _overflow(row) == "truncate" else "split",
    )
    return jsonify(html=html, count=len(parts))


@bp.post(f"{CONVERSATION}/take")
@workspace_view(Permission.ANSWER)
def take(workspace_id: int, conversation_id: int) -> ResponseReturnValue:
    """Take the conversation from another app of the provider."""
    with flashing(ConflictError, ProviderRefusedError):
        thread_control.take(acting(), current_directory(), conversation_id)
    return answer_done(workspace_id, conversation_id)


@bp.post(f"{CONVERSATION}/release")
@workspace_view(Permission.ANSWER)
def release(workspace_id: int, conversation_id: int) -> ResponseReturnValue:
    """Let go of the conversation: the provider chooses which of its apps answers."""
    with flashing(ConflictError, ProviderRefusedError):
        thread_control.release(acting(), current_directory(), conversation_id)
    return answer_done(workspace_id, conversation_id)


# Fields of the conversation


@bp.post(f"{CONVERSATION}/assign")
@workspace_view(Permission.ANSWER)
def assign(workspace_id: int, conversation_id: int) -> ResponseReturnValue:
    """Assign the conversation to a member or to nobody; with ``team`` to a team or to none."""
    if "team" in request.form:
        return change_fields(workspace_id, conversation_id, {"team_id": form_id("team")})
    return change_fields(workspace_id, conversation_id, {"assignee_id": form_id("assignee")})


def _named_change(name: str, changes: Changes) -> None:
    """Add a view that makes *changes* to a conversation."""

    def view(workspace_id: int, conversation_id: int) -> ResponseReturnValue:
        return change_fields(workspace_id, conversation_id, changes)

    view.__name__ = name
    bp.post(f"{CONVERSATION}/{name}", endpoint=name)(workspace_view(Permission.ANSWER)(view))


for _name, _changes in conversation_actions.NAMED.items():
    _named_change(_name, _changes)


def change_fields(workspace_id: int, conversation_id: int, changes: Changes) -> ResponseReturnValue:
    """Change fields of a conversation, and answer like :func:`answer_done`."""
    try:
        write(conversation_actions.set_fields, conversation_id, changes, shown=request.form.get("shown"))
    except ChangedMeanwhileError as error:
        return told(error, workspace_id, conversation_id)
    return answer_done(workspace_id, conversation_id)


def told(error: ChangedMeanwhileError, workspace_id: int, conversation_id: int) -> ResponseReturnValue:
    """Say who changed the conversation first, with the words of the thread."""
    with opened_inbox(workspace_id) as inbox:
        inbox.row(conversation_id)
        [line] = load_messages(inbox.session, workspace_id, conversation_id, [error.line])
        sentence = f"{activity(line)[1].removesuffix('.')}."
    if wants_json():
        return jsonify(error={"code": error.code, "message": sentence, "next": error.next_step}), error.status
    flash_bad(f"{sentence} {error.next_step}")
    return redirect_back(workspace_id, conversation_id)


# Read and typing


@bp.post(f"{CONVERSATION}/read")
@workspace_view(Permission.ANSWER)
def read(workspace_id: int, conversation_id: int) -> ResponseReturnValue:
    """Mark the conversation as read up to a message."""
    until = form_id("until")
    if until is not None:
        user_id = current_user().id
        if write(conversation_actions.mark_read, conversation_id, user_id=user_id, until=until):
            with db.read() as session:
                row = conversation_row(session, workspace_id, conversation_id, accounts=seen_accounts())
            _show_seen(row)
    return answer_done(workspace_id, conversation_id)


@bp.post(f"{CONVERSATION}/unread")
@workspace_view(Permission.ANSWER)
def unread(workspace_id: int, conversation_id: int) -> ResponseReturnValue:
    """Mark the conversation as unread for the signed-in person, and go back to the list."""
    write(conversation_actions.mark_unread, conversation_id, user_id=current_user().id)
    if wants_json():
        return jsonify(ok=True)
    arguments: dict[str, Any] = dict(filter_from_request(current_directory()).arguments())
    return redirect(url_for("inbox.index", workspace_id=workspace_id, **arguments), 303)


@bp.post(f"{CONVERSATION}/presence")
@passive
@workspace_view(Permission.ANSWER)
def be_present(workspace_id: int, conversation_id: int) -> ResponseReturnValue:
    """Record that the person has the conversation open (``state=viewing``), types (``typing``) or has left
    it.

    Any other state means left. ``left`` is a conversation they had open before.
    """
    user_id, now, left = current_user().id, clock.now(), form_id("left")
    word = request.form.get("state", "")
    state = PresenceState(word) if word in set(PresenceState) else None

    def use_case(session: Session) -> None:
        here: dict[str, Any] = {"workspace_id": workspace_id, "user_id": user_id, "now": now}
        if left is not None and left != conversation_id:
            with suppress(ConversationNotFoundError):
                presence.be_present(
                    session, conversation_id=left, state=None, **here, accounts=seen_accounts()
                )
        presence.be_present(
            session, conversation_id=conversation_id, state=state, **here, accounts=seen_accounts()
        )

    db.write(use_case)
    return "", 204


@bp.post(f"{CONVERSATION}/typing")
@passive
@workspace_view(Permission.ANSWER)
@with_conversation
def typing(workspace_id: int, row: Row) -> ResponseReturnValue:
    """Show the customer that the team is typing (``on=1``), or has stopped."""
    _show_typing(row, request.form.get("on", "") == "1")
    return "", 204


def _show_typing(row: Row, on: bool) -> None:
    """Send the customer a typing signal, or its end, if channel, account and window allow it."""
    adapter = current_directory().adapter(row.channel)
    if adapter is None or not adapter.capabilities.typing or not Messaging.of(row.account.settings).typing:
        return
    if _may_signal(row, adapter):
        _offer(row, Signal.TYPING if on else Signal.STOPPED)


def _show_seen(row: Row) -> None:
    """Send the customer a read receipt, if channel, account and window allow it."""
    adapter = current_directory().adapter(row.channel)
    if adapter is None or not adapter.capabilities.mark_seen:
        return
    if Messaging.of(row.account.settings).mark_seen and _may_signal(row, adapter):
        _offer(row, Signal.SEEN)


def _may_signal(row: Row, adapter: ChannelAdapter) -> bool:
    now = clock.now()
    if row.account_state != AccountState.CONNECTED or row.out_of_reach(now) is not None:
        return False
    return policy_for(adapter, row.account, row.last_inbound_at, now).state is ReplyState.OPEN


def _offer(row: Row, signal: Signal) -> None:
    signals.current().offer(row.account, row.identity_external_id, signal, row.id)


# Messages


@bp.post(f"{CONVERSATION}/messages/<int:message_id>/react")
@workspace_view(Permission.ANSWER)
def react(workspace_id: int, conversation_id: int, message_id: int) -> ResponseReturnValue:
    """Set the team's reaction on a message; an empty ``emoji`` removes it."""
    with flashing(ConflictError, NotSendableError):
        write(
            reacting.react,
            message_id,
            request.form.get("emoji", ""),
            directory=current_directory(),
            conversation_id=conversation_id,
        )
    return answer_done(workspace_id, conversation_id)


def _message_action(name: str, use_case: Callable[..., None]) -> None:
    """Add a view that calls *use_case* for one message."""

    def view(workspace_id: int, conversation_id: int, message_id: int) -> ResponseReturnValue:
        with flashing(ConflictError):
            write(use_case, conversation_id, message_id)
        return answer_done(workspace_id, conversation_id)

    view.__name__ = name
    bp.post(f"{CONVERSATION}/messages/<int:message_id>/{name}", endpoint=name)(
        workspace_view(Permission.ANSWER)(view)
    )


def _of_outbox(use_case: Callable[[Session, int], None]) -> Callable[..., None]:
    """Wrap *use_case*, which locks the message's outbox entry, to check the conversation first."""

    def checked(work: UnitOfWork, conversation_id: int, message_id: int) -> None:
        place = work.session, work.workspace_id, conversation_id
        check_message(*place, message_id, accounts=work.accounts)
        use_case(work.session, message_id)

    return checked


@bp.post(f"{CONVERSATION}/messages/<int:message_id>/retry")
@workspace_view(Permission.ANSWER)
@with_conversation
def retry(workspace_id: int, row: Row, message_id: int) -> ResponseReturnValue:
    """Send a failed message again, optionally from another address of the account."""

    def retry(session: Session, message_id: int) -> None:
        adapter = current_directory().adapter(row.channel)
        resending.retry(session, message_id, request.form.get("own_address", ""), adapter)

    with flashing(ConflictError, NotSendableError):
        write(_of_outbox(retry), row.id, message_id)
    return answer_done(workspace_id, row.id)


_message_action("send_again", _of_outbox(resending.send_again))
_message_action("send_anyway", _of_outbox(resending.send_anyway))
_message_action("cancel", _of_outbox(resending.cancel))
_message_action("check", _of_outbox(outbox.check_now))
_message_action("hide", conversation_actions.hide_message)
_message_action("show_again", conversation_actions.unhide_message)


@bp.post(f"{CONVERSATION}/messages/<int:message_id>/edit")
@workspace_view(Permission.ANSWER)
@with_conversation
def edit(workspace_id: int, row: Row, message_id: int) -> ResponseReturnValue:
    """Change the text of a reply that is still waiting."""

    def edit(session: Session, message_id: int) -> None:
        adapter = current_directory().adapter(row.channel)
        resending.edit(session, message_id, request.form.get("text", ""), adapter)

    with flashing(ConflictError, InvalidError):
        variables.check_filled(request.form.get("text", ""))
        write(_of_outbox(edit), row.id, message_id)
    return answer_done(workspace_id, row.id)


# Erasing the customer, for owners


@bp.get(f"{CONVERSATION}/erase")
@workspace_view(Permission.ERASE)
@follows
@with_conversation
def erase(workspace_id: int, row: Row) -> ResponseReturnValue:
    """Ask to confirm erasing a customer, and show what is deleted and what stays."""
    return _erase_page(workspace_id, row)


@bp.post(f"{CONVERSATION}/erase")
@workspace_view(Permission.ERASE)
@follows
@fresh_password
@with_conversation
def erase_now(workspace_id: int, row: Row) -> ResponseReturnValue:
    """Erase the customer of a conversation, whose name was typed."""
    name = name_of(row, current_directory().adapter(row.channel))
    if _folded(request.form.get("name", "")) != _folded(name):
        return _erase_page(workspace_id, row, _("Enter %(name)s to erase this customer.", name=name))
    held = write(erasure.erase, row.contact_id)
    flash_good(
        ngettext(
            "Customer erased, including %(num)s message.",
            "Customer erased, including %(num)s messages.",
            held.said + held.notes,
        )
    )
    address = url_for("inbox.conversation", workspace_id=workspace_id, conversation_id=row.id)
    return redirect(address, 303)


def _folded(name: str) -> str:
    """Return a name as it is compared with one that was typed."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def _erase_page(workspace_id: int, row: Row, problem: str = "") -> ResponseReturnValue:
    with db.read() as session:
        held = erasure.holdings(session, workspace_id, row.contact_id, accounts=seen_accounts())
    page = render_template(
        "inbox/erase.html",
        row=row,
        name=name_of(row, current_directory().adapter(row.channel)),
        held=held,
        problem=problem,
    )
    return page, 400 if problem else 200, {"Cache-Control": "no-store"}
