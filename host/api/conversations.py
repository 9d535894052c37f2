"""Conversations: listing, reading, giving to somebody, closing, noting."""

from __future__ import annotations

from typing import Annotated, Literal, cast

from flask_babel import gettext as _
from msgspec import UNSET, Meta, UnsetType
from sqlalchemy.orm import Session

from host import db
from host.api import cursors, shapes
from host.api.call import Call
from host.api.contacts import id_name
from host.api.declare import Id, Wire, route
from host.api.errors import BodyError, CursorError, QueryError
from host.api.keys import Scope
from host.channels.models import AccountState
from host.inbox import assignment, finding, queries, status
from host.inbox.errors import ConversationNotFoundError, NotAMemberError
from host.inbox.finding import NOBODY, Wanted
from host.inbox.models import ConversationStatus
from host.inbox.queries import Row
from host.inbox.reply import policy_for
from host.sdk.channel import ReplyState

LIST = "conversations"
Limit = Annotated[int, Meta(ge=1, le=100, description="How many at most.")]
Status = Literal["open", "closed"]


class Query(Wire, frozen=True):
    """What a list of conversations is narrowed to."""

    status: Annotated[Status | None, Meta(description="Left out: both.")] = None
    channel: Annotated[str, Meta(max_length=32, description="The key of a channel.")] | None = None
    account: Annotated[Id | None, Meta(description="The id of an account.")] = None
    assignee: (
        Annotated[
            str,
            Meta(
                pattern=r"^([0-9]{1,18}|none)$",
                description="The id of a person, or `none`.",
                examples=["none"],
            ),
        ]
        | None
    ) = None
    contact: (
        Annotated[str, Meta(min_length=1, max_length=512, description="The contact's external id.")] | None
    ) = None
    limit: Limit = 50
    cursor: Annotated[str | None, Meta(description="`next` of the page before.")] = None


class ConversationChange(Wire, frozen=True):
    """What is to become different; what is left out stays."""

    assignee: Annotated[
        Id | UnsetType | None, Meta(description="The id of a person, or null for nobody.")
    ] = UNSET
    status: Status | UnsetType = UNSET


def shown(call: Call, row: Row) -> shapes.Conversation:
    """Return a conversation as the API shows it."""
    person = None
    if row.assignee_id is not None:
        person = shapes.Person(id=row.assignee_id, name=row.assignee_name or "")
    return shapes.Conversation(
        id=row.id,
        status=cast(Status, str(row.status)),
        channel=row.channel,
        account_id=row.account.id,
        contact=shapes.ContactRef(
            id=row.contact_id,
            name=row.contact_name or row.identity_name,
            username=row.username,
            external_id=row.identity_external_id,
            external_id_name=id_name(call, row.channel),
        ),
        subject=row.subject,
        assignee=person,
        unread_count=row.unread,
        failed_count=row.failed,
        last_message=shapes.Last(
            at=row.last_message_at, direction=row.last_direction, kind=row.last_kind, preview=row.last_preview
        ),
        last_inbound_at=row.last_inbound_at,
        reply_window=window(call, row),
        created_at=row.created_at,
        closed_at=row.closed_at,
    )


def window(call: Call, row: Row) -> shapes.Window:
    """Return whether the API may reply to a conversation now: it is no person."""
    adapter = call.adapter(row.channel)
    if adapter is None:
        return shapes.Window(state="unavailable", until=None, sentence=_("The channel is not active."))
    if row.account_state == AccountState.DISCONNECTED:
        return shapes.Window(state="unavailable", until=None, sentence=_("The account is disconnected."))
    policy = policy_for(adapter, row.account, row.last_inbound_at, call.now, by_person=False)
    sentence = "" if policy.state is ReplyState.OPEN or not policy.sentence else _(policy.sentence)
    return shapes.Window(state=policy.state.value, until=policy.until, sentence=sentence)


@route(
    "GET",
    "/conversations",
    tag="Conversations",
    summary="List conversations",
    scope=Scope.READ,
    query=Query,
    answer=shapes.Conversations,
    errors=(QueryError, CursorError),
)
def list_conversations(call: Call, query: Query) -> shapes.Conversations:
    """The one with the latest message comes first. Conditions are combined."""
    before = None if query.cursor is None else cursors.read(LIST, query.cursor, "cursor")
    assignee = None
    if query.assignee is not None:
        assignee = NOBODY if query.assignee == "none" else int(query.assignee) or -1
    wanted = Wanted(
        status=None if query.status is None else ConversationStatus(query.status),
        channel=query.channel,
        account_id=query.account,
        assignee=assignee,
        contact=query.contact,
    )
    with db.read() as session:
        page = finding.find(session, call.workspace_id, wanted, before=before, limit=query.limit)
    return shapes.Conversations(
        data=[shown(call, row) for row in page.rows],
        next=None if page.next is None else cursors.write(LIST, page.next),
    )


def get(session: Session, call: Call, conversation_id: int) -> Row:
    """Return a conversation of the key's workspace.

    :raises ConversationNotFoundError: if it has no such one.
    """
    row = queries.get_row(session, call.workspace_id, conversation_id)
    if row is None:
        raise ConversationNotFoundError(next_step="")
    return row


@route(
    "GET",
    "/conversations/{conversation_id}",
    tag="Conversations",
    summary="Get a conversation",
    scope=Scope.READ,
    answer=shapes.Conversation,
    errors=(ConversationNotFoundError,),
)
def get_conversation(call: Call, conversation_id: int) -> shapes.Conversation:
    """Whom it is with, who takes care of it, and whether a reply may be sent now."""
    with db.read() as session:
        return shown(call, get(session, call, conversation_id))


@route(
    "PATCH",
    "/conversations/{conversation_id}",
    tag="Conversations",
    summary="Assign, close or reopen a conversation",
    scope=Scope.WRITE,
    body=ConversationChange,
    answer=shapes.Conversation,
    errors=(BodyError, ConversationNotFoundError, NotAMemberError),
    examples={"Close it": {"status": "closed"}, "Give it to nobody": {"assignee": None}},
)
def change_conversation(call: Call, conversation_id: int, body: ConversationChange) -> bytes:
    """Both at once or one alone; the thread gets a line for each, in the name of the key."""

    def use_case(session: Session) -> shapes.Conversation:
        common = {
            "workspace_id": call.workspace_id,
            "conversation_id": conversation_id,
            "author_id": None,
            "by": call.caller.name,
            "now": call.now,
        }
        get(session, call, conversation_id)
        if body.assignee is not UNSET:
            assignment.assign(session, assignee_id=body.assignee, **common)  # type: ignore[arg-type]
        if body.status is not UNSET:
            change = status.close if body.status == "closed" else status.reopen
            change(session, **common)  # type: ignore[arg-type]
        return shown(call, get(session, call, conversation_id))

    return call.commit(use_case)
