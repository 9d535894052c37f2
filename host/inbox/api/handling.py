"""API routes for typing and seen indicators, read and unread, handoff, and thread control between apps."""

from __future__ import annotations

from typing import Annotated

from flask_babel import lazy_gettext as _l
from msgspec import Meta

from host.api.http.call import Call, new_reply_key
from host.api.http.declare import Id, Router, Wire, rename
from host.api.http.errors import BodyError
from host.core import db
from host.core.ids import MAX_ID
from host.inbox import conversation_actions, notes, thread_control
from host.inbox.api.conversations import Conversation, check_can_reply, get, shown
from host.inbox.api.sending import voice_of
from host.inbox.conversation_actions import Changes
from host.inbox.errors import (
    AccountDisconnectedError,
    AnsweredElsewhereError,
    ContactUnreachableError,
    ConversationNotFoundError,
    EmptyTextError,
    HandledByPersonError,
    NotAMemberError,
    OptedOutError,
    PeopleOnlyError,
    ProviderRefusedError,
    SignalNotSupportedError,
    ThreadControlError,
    TooLongError,
    UnknownChannelError,
    WindowClosedError,
)
from host.inbox.reply import check_may_send
from host.inbox.teams.errors import TeamNotFoundError
from host.models import inbox
from host.queue import signals
from host.queue.signals import Signal
from host.users.actor import UnitOfWork
from host.users.api_keys import Scope

routes = Router("Conversations", write=Scope.CONVERSATIONS_WRITE)

SIGNALS = (
    AccountDisconnectedError,
    ContactUnreachableError,
    ConversationNotFoundError,
    HandledByPersonError,
    AnsweredElsewhereError,
    OptedOutError,
    PeopleOnlyError,
    SignalNotSupportedError,
    UnknownChannelError,
    WindowClosedError,
)
CONTROL = (
    AccountDisconnectedError,
    BodyError,
    ConversationNotFoundError,
    ProviderRefusedError,
    ThreadControlError,
    UnknownChannelError,
)


class Typing(Wire, frozen=True):
    """The typing indicator."""

    on: Annotated[bool, Meta(description="False: stop showing it.")] = True


class MarkingRead(Wire, frozen=True):
    """The reader of a conversation, and the last message read."""

    until: Annotated[
        Id | None,
        Meta(description="The id of the last message read; later ones stay unread. Omitted: all of them."),
    ] = None
    member_id: Annotated[
        Id | None,
        Meta(
            description=(
                "The person who read it, for whom it isn't shown as unread any more. Omitted: no person, "
                "which only lowers the team's `unreadCount`."
            )
        ),
    ] = None


class MarkingUnread(Wire, frozen=True):
    """The person for whom a conversation is marked as unread."""

    member_id: Annotated[Id, Meta(description="The person for whom it is shown as unread.")]


class Taking(Wire, frozen=True):
    """Options for taking over a conversation."""

    note: Annotated[str, Meta(max_length=1000, description="A note for the app that controls it.")] = ""


class Releasing(Wire, frozen=True):
    """Options for releasing a conversation."""

    note: Annotated[str, Meta(max_length=1000, description="A note for the app that gets it.")] = ""


class HandingOver(Wire, frozen=True):
    """The target of a handoff."""

    note: Annotated[
        str,
        Meta(max_length=notes.MAX_LENGTH, description="The reason, as a private note for the next person."),
    ] = ""
    assignee: Annotated[Id | None, Meta(description="The id of a person; omitted: unchanged.")] = None
    team: Annotated[Id | None, Meta(description="The id of a team; omitted: unchanged.")] = None


class Passing(Wire, frozen=True):
    """The app a conversation is passed to."""

    to: Annotated[str, Meta(min_length=1, max_length=64, description="The provider's id of that app.")]
    note: Annotated[str, Meta(max_length=1000, description="A note for that app.")] = ""


@routes.post(
    "/conversations/{conversation_id}/typing",
    "Show the customer a typing indicator",
    limited=True,
    errors=SIGNALS,
    examples={"Someone is typing": {"on": True}},
)
def show_typing(call: Call, conversation_id: int, body: Typing) -> None:
    """Allowed while anyone may reply. It ends automatically after some seconds, and with the next message.

    Delivery is not confirmed: if the provider doesn't show it, nobody is notified.
    """
    _signal(call, conversation_id, Signal.TYPING if body.on else Signal.STOPPED)


@routes.post(
    "/conversations/{conversation_id}/seen",
    "Show the customer that their messages were seen",
    limited=True,
    errors=SIGNALS,
)
def show_seen(call: Call, conversation_id: int) -> None:
    """Allowed while anyone may reply. The account's seen setting only affects people, not programs.

    Delivery is not confirmed: if the provider doesn't show it, nobody is notified.
    """
    _signal(call, conversation_id, Signal.SEEN)


def _signal(call: Call, conversation_id: int, signal: Signal) -> None:
    with db.read() as session:
        row = get(session, call, conversation_id)
        adapter = call.adapter(row.channel)
        if adapter is None:
            raise UnknownChannelError()
        can = adapter.capabilities
        if not (can.mark_seen if signal is Signal.SEEN else can.typing):
            raise SignalNotSupportedError()
        conversation = session.get_one(inbox.Conversation, conversation_id)
        voice = voice_of(call)
        check_may_send(session, conversation, adapter, call.now, by_person=False, voice=voice)
    signals.current().offer(row.account, row.identity_external_id, signal, conversation_id)


@routes.post(
    "/conversations/{conversation_id}/read",
    "Mark a conversation as read",
    limited=True,
    errors=(ConversationNotFoundError, NotAMemberError),
    examples={"All of it": {}, "Up to a message, by a person": {"until": 991, "memberId": 7}},
)
def mark_conversation_read(call: Call, conversation_id: int, body: MarkingRead) -> Conversation:
    """The customer isn't told: for that, use `seen`."""

    def mark(work: UnitOfWork) -> Conversation:
        if body.member_id is not None:
            check_can_reply(work.session, call, conversation_id, body.member_id)
        until = MAX_ID if body.until is None else body.until
        conversation_actions.mark_read(work, conversation_id, user_id=body.member_id, until=until)
        return shown(work.session, call, get(work.session, call, conversation_id))

    return call.write(mark)


@routes.post(
    "/conversations/{conversation_id}/unread",
    "Mark a conversation as unread",
    limited=True,
    errors=(ConversationNotFoundError, NotAMemberError),
    examples={"For a person": {"memberId": 7}},
)
def mark_conversation_unread(call: Call, conversation_id: int, body: MarkingUnread) -> Conversation:
    """Shows it as unread to one person, until they open it. The team's `unreadCount` stays the same."""

    def mark(work: UnitOfWork) -> Conversation:
        check_can_reply(work.session, call, conversation_id, body.member_id)
        conversation_actions.mark_unread(work, conversation_id, user_id=body.member_id)
        return shown(work.session, call, get(work.session, call, conversation_id))

    return call.write(mark)


@routes.post(
    "/conversations/{conversation_id}/hand-over",
    "Hand a conversation over to people",
    limited=True,
    errors=(ConversationNotFoundError, EmptyTextError, NotAMemberError, TeamNotFoundError, TooLongError),
    examples={"To a team, with a note": {"team": 5, "note": "Wants to change an order that has left."}},
    fields={
        EmptyTextError: "note",
        TooLongError: "note",
        TeamNotFoundError: "team",
        NotAMemberError: "assignee",
    },
)
def hand_over_conversation(call: Call, conversation_id: int, body: HandingOver) -> Conversation:
    """The customer then waits for a person, and nothing automated is sent until the conversation is closed or
    automation is resumed.

    A closed conversation is reopened. Repeating it only adds the note.
    """

    changes: Changes = {}
    if body.team is not None:
        changes["team_id"] = body.team
    if body.assignee is not None:
        changes["assignee_id"] = body.assignee

    def hand_over(work: UnitOfWork) -> Conversation:
        try:
            conversation_actions.hand_over(work, conversation_id, changes)
        except ConversationNotFoundError:
            raise ConversationNotFoundError(next_step="") from None
        if body.note:
            notes.add_note(work, conversation_id, text=body.note, reply_key=new_reply_key())
        return shown(work.session, call, get(work.session, call, conversation_id))

    return call.write(hand_over)


@routes.post(
    "/conversations/{conversation_id}/take",
    "Take a conversation from another app",
    limited=True,
    errors=CONTROL,
    examples={"With a note": {"note": "A person takes over."}},
)
def take_conversation(call: Call, conversation_id: int, body: Taking) -> Conversation:
    """If a provider lets several apps answer, one controls a conversation at a time. The provider decides."""
    thread_control.take(call.acting, call.directory, conversation_id, note=body.note)
    return _answer(call, conversation_id)


rename(
    take_conversation,
    "POST",
    "/conversations/{conversation_id}/request-control",
    operation="requestControl",
    since="2026-11-27",
)


@routes.post(
    "/conversations/{conversation_id}/pass",
    "Pass a conversation to another app",
    limited=True,
    errors=CONTROL,
    examples={"To another app": {"to": "263902037430900", "note": "Please answer in the Page's inbox."}},
)
def pass_conversation(call: Call, conversation_id: int, body: Passing) -> Conversation:
    """Messages sent afterwards may be refused, until you take the conversation or get it back."""
    if not body.to.strip().replace("_", "").isalnum():
        raise BodyError(_l("That isn't a valid app ID."), field="to")
    to, note = body.to.strip(), body.note
    thread_control.hand_on(call.acting, call.directory, conversation_id, to=to, note=note)
    return _answer(call, conversation_id)


rename(
    pass_conversation,
    "POST",
    "/conversations/{conversation_id}/pass-control",
    operation="passControl",
    since="2026-11-27",
)


@routes.post(
    "/conversations/{conversation_id}/release-control",
    "Release a conversation to whoever the provider chooses",
    limited=True,
    errors=CONTROL,
    examples={"With a note": {"note": "Answered."}},
)
def release_control(call: Call, conversation_id: int, body: Releasing) -> Conversation:
    """Nothing automated is sent until the customer's next message comes to Lobby. Sending takes it back.

    Only where `threadRelease` of the account's `capabilities` is true.
    """
    thread_control.release(call.acting, call.directory, conversation_id, note=body.note)
    return _answer(call, conversation_id)


def _answer(call: Call, conversation_id: int) -> Conversation:
    with db.read() as session:
        return shown(session, call, get(session, call, conversation_id))
