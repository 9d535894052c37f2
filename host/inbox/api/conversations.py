"""List, show and change conversations: their shape, filters and changes in the API."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal, cast

import msgspec
from flask_babel import lazy_gettext as _l
from msgspec import UNSET, Meta, UnsetType
from sqlalchemy.orm import Session

from host.api import shapes
from host.api.changes import UpdatedSince, changes, sorted_by
from host.api.http import cursors
from host.api.http.call import Call, locked
from host.api.http.declare import ChannelId, Id, Moment, Router, Wire
from host.api.http.errors import CursorError
from host.api.http.log_cursors import EventsGoneError
from host.api.serialise import shown_post
from host.core import db
from host.events import changes as event_changes
from host.inbox import conversation_actions, queries
from host.inbox.comments import posts
from host.inbox.comments.posts import PostRow
from host.inbox.contacts import people
from host.inbox.conversation_actions import Changes
from host.inbox.errors import (
    ContactNotFoundError,
    ConversationNotFoundError,
    NotAMemberError,
    NotSnoozableError,
    SnoozeTimeError,
)
from host.inbox.labels import labels
from host.inbox.labels.errors import LabelNotFoundError
from host.inbox.outreach import places
from host.inbox.queries import AnyTeam, Assignee, ConversationFilter, Order, Row
from host.inbox.reply import policy_for
from host.inbox.teams.errors import TeamNotFoundError
from host.models.channels import AccountState
from host.models.inbox import Conversation as ConversationRow
from host.models.inbox import ConversationStatus, Handler, Snooze, SnoozeKind
from host.sdk.channel import ReplyState
from host.users.actor import UnitOfWork
from host.users.api_keys import Scope
from host.web.languages import gettext as _

routes = Router("Conversations", read=Scope.CONVERSATIONS_READ, write=Scope.CONVERSATIONS_WRITE)

LIST = "conversations"
Limit = Annotated[int, Meta(ge=1, le=100, description="The maximum number of results.")]
Status = Literal["open", "closed"]
HandledBy = Literal["nobody", "person", "automation"]
LabelIds = Annotated[
    str,
    Meta(pattern=r"^[0-9]{1,18}(,[0-9]{1,18}){0,19}$", description="Ids of labels.", examples=["3,7"]),
]


class ContactRef(Wire, frozen=True):
    """The contact of a conversation."""

    id: Id
    name: str | None
    username: str | None
    external_id: shapes.ExternalId
    external_id_name: Annotated[str, Meta(description="The channel's name for that id.")]


class Window(Wire, frozen=True):
    """The reply window of the API."""

    state: Annotated[
        Literal["open", "people_only", "closed", "unavailable"],
        Meta(
            description=(
                "`people_only`: only a person can reply, in the inbox. `unavailable`: the channel is "
                "not active, or the account is disconnected."
            )
        ),
    ]
    until: Annotated[Moment | None, Meta(description="When this state ends; null: it does not.")]
    sentence: Annotated[str, Meta(description="The reason, if it is not open.")]


class Last(Wire, frozen=True):
    """A summary of the last message of a conversation."""

    at: Moment
    direction: str
    kind: str
    preview: str


class Conversation(Wire, frozen=True):
    """A conversation between one contact and the team on one account."""

    id: Id
    status: Status
    channel: str
    account_id: Id
    channel_id: ChannelId
    contact: ContactRef
    subject: str | None
    post: Annotated[shapes.Post | None, Meta(description="The post, on a comment channel; null: none.")]
    assignee: shapes.Person | None
    team: Annotated[
        shapes.TeamRef | None, Meta(description="The team it is assigned to, in addition to the assignee.")
    ]
    handled_by: Annotated[
        HandledBy,
        Meta(
            description=(
                "`person`: no automated messages are sent; `automation`: automation answered; "
                "`nobody`: neither, since it started or was closed."
            )
        ),
    ]
    unread_count: Annotated[
        int,
        Meta(description="Messages that nobody on the team has read."),
    ]
    failed_count: Annotated[int, Meta(description="Messages from the team that failed.")]
    last_message: Last
    last_inbound_at: Annotated[
        Moment | None,
        Meta(description="The provider's time of the last message that opens a reply window."),
    ]
    reply_window: Window
    labels: Annotated[list[shapes.LabelRef], Meta(description="By name.")]
    snooze: Annotated[shapes.Snooze | None, Meta(description="Null: it is not snoozed.")]
    spam: Annotated[bool, Meta(description="Whether the team marked it as spam.")]
    waiting_since: Annotated[
        Moment | None,
        Meta(description="Since when the customer has been waiting for a reply; null: they are not."),
    ]
    due_at: Annotated[
        Moment | None,
        Meta(
            description=(
                "When the response is due; null: the customer is not waiting, or there is no response time."
            )
        ),
    ]
    scheduled_at: Annotated[
        Moment | None, Meta(description="When the first scheduled reply is sent; null: none.")
    ]
    previous_id: Annotated[
        Id | None, Meta(description="The conversation it continues, on another account; null: none.")
    ]
    next_id: Annotated[
        Id | None, Meta(description="The conversation that continues it, on another account; null: none.")
    ]
    created_at: Moment
    closed_at: Moment | None


class Conversations(Wire, frozen=True):
    """A page of conversations, ordered by the latest message or the latest end of a snooze, newest first."""

    data: list[Conversation]
    next: Annotated[
        shapes.Cursor | None, Meta(description="Cursor of the next page; null: this is the last page.")
    ]


class ConversationQuery(Wire, frozen=True):
    """Filters for a list of conversations."""

    status: Annotated[Status | None, Meta(description="Omitted: both.")] = None
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
    team: (
        Annotated[
            str,
            Meta(
                pattern=r"^([0-9]{1,18}|none)$",
                description="The id of a team, or `none`.",
                examples=["none"],
            ),
        ]
        | None
    ) = None
    handled_by: Annotated[HandledBy | None, Meta(description="Omitted: all.")] = None
    contact: (
        Annotated[str, Meta(min_length=1, max_length=512, description="The contact's external id.")] | None
    ) = None
    labels: Annotated[LabelIds | None, Meta(description="Has at least one of these labels.")] = None
    all_labels: Annotated[LabelIds | None, Meta(description="Has all of these labels.")] = None
    no_labels: Annotated[LabelIds | None, Meta(description="Has none of these labels.")] = None
    snoozed: Annotated[bool | None, Meta(description="Omitted: both.")] = None
    spam: Annotated[bool, Meta(description="True: only spam; otherwise no spam.")] = False
    needs_reply: Annotated[
        bool | None, Meta(description="Whether the last message is from the customer.")
    ] = None
    failed: Annotated[bool | None, Meta(description="Whether a message from the team failed.")] = None
    mentioned: Annotated[Id | None, Meta(description="The id of a person mentioned in one of its notes.")] = (
        None
    )
    late: Annotated[
        bool | None,
        Meta(description="Whether the customer has waited longer than the account's response time."),
    ] = None
    scheduled: Annotated[bool | None, Meta(description="Whether a reply is scheduled.")] = None
    post: Annotated[Id | None, Meta(description="The id of the post that it is about.")] = None
    limit: Limit = 50
    cursor: Annotated[str | None, Meta(description="`next` of the previous page.")] = None


class ConversationListQuery(ConversationQuery, frozen=True):
    """Filters and order of a list of conversations."""

    updated_since: UpdatedSince | None = None
    sort: Annotated[
        Literal["newest", "waiting", "updated"],
        Meta(
            description=(
                "`newest`: latest message first; `waiting`: only customers who wait for an answer, longest "
                "wait first; `updated`: in the order of changes, with `updatedSince`."
            )
        ),
    ] = "newest"


class UpdateConversation(Wire, frozen=True):
    """A change of a conversation; omitted fields stay unchanged."""

    assignee: Annotated[
        Id | UnsetType | None, Meta(description="The id of a person, or null for nobody.")
    ] = UNSET
    team: Annotated[
        Id | UnsetType | None,
        Meta(
            description=(
                "The id of a team, or null for none. An assignee who is not in the team is "
                "unassigned, unless `assignee` is given."
            )
        ),
    ] = UNSET
    status: Status | UnsetType = UNSET
    add_labels: Annotated[list[Id], Meta(max_length=20, description="Ids of labels to add.")] = msgspec.field(
        default_factory=list
    )
    remove_labels: Annotated[list[Id], Meta(max_length=20, description="Ids of labels to remove.")] = (
        msgspec.field(default_factory=list)
    )
    snooze: Annotated[shapes.Snooze | UnsetType | None, Meta(description="Null: unsnooze it now.")] = UNSET
    spam: bool | UnsetType = UNSET
    handled_by: Annotated[
        Literal["nobody", "person"] | UnsetType,
        Meta(description="`person`: no more automated messages are sent; `nobody`: they can be sent again."),
    ] = UNSET


def shown(session: Session, call: Call, row: Row) -> Conversation:
    """Return a conversation as the API shows it."""
    return _listed(session, call, [row])[0]


def _listed(session: Session, call: Call, rows: Sequence[Row]) -> list[Conversation]:
    known = posts.by_id(session, call.workspace_id, {row.post_id for row in rows if row.post_id is not None})
    previous, following = places.around(session, [row.id for row in rows], call.accounts)
    return [
        _shown(call, row, known.get(row.post_id or 0), previous.get(row.id), following.get(row.id))
        for row in rows
    ]


def _shown(
    call: Call, row: Row, post: PostRow | None, previous_id: int | None, next_id: int | None
) -> Conversation:
    person = None
    if row.assignee_id is not None:
        person = shapes.Person(id=row.assignee_id, name=row.assignee_name or "")
    return Conversation(
        id=row.id,
        status=cast(Status, str(row.status)),
        channel=row.channel,
        account_id=row.account.id,
        channel_id=row.account.uuid,
        contact=ContactRef(
            id=row.contact_id,
            name=row.contact_name or row.identity_name,
            username=row.username,
            external_id=row.identity_external_id,
            external_id_name=call.contact_id_name(row.channel),
        ),
        subject=row.subject,
        post=None if post is None else shown_post(post),
        assignee=person,
        team=None if row.team_id is None else shapes.TeamRef(id=row.team_id, name=row.team_name or ""),
        handled_by=cast(HandledBy, str(row.handled_by)),
        unread_count=row.unread,
        failed_count=row.failed,
        last_message=Last(
            at=row.last_message_at, direction=row.last_direction, kind=row.last_kind, preview=row.last_preview
        ),
        last_inbound_at=row.last_inbound_at,
        reply_window=window(call, row),
        labels=[shapes.LabelRef(id=one.id, name=one.name, tone=cast(Any, one.tone)) for one in row.labels],
        snooze=None
        if row.snooze is None
        else shapes.Snooze(kind=cast(Any, str(row.snooze.kind)), until=row.snooze.until),
        spam=row.spam_at is not None,
        waiting_since=row.waiting_since,
        due_at=row.due_at,
        scheduled_at=row.scheduled_at,
        previous_id=previous_id,
        next_id=next_id,
        created_at=row.created_at,
        closed_at=row.closed_at,
    )


def window(call: Call, row: Row) -> Window:
    """Return the reply window of a conversation for the API, which counts as a program, not a person."""
    adapter = call.adapter(row.channel)
    if adapter is None:
        return Window(state="unavailable", until=None, sentence=_("The channel is not active."))
    if row.account_state == AccountState.DISCONNECTED:
        return Window(state="unavailable", until=None, sentence=_("The account is disconnected."))
    policy = policy_for(adapter, row.account, row.last_inbound_at, call.now, by_person=False)
    sentence = "" if policy.state is ReplyState.OPEN or not policy.sentence else _(policy.sentence)
    return Window(state=policy.state.value, until=policy.until, sentence=sentence)


@routes.get("/conversations", "List conversations", limited=True, errors=(CursorError, EventsGoneError))
def list_conversations(call: Call, query: ConversationListQuery) -> Conversations:
    """The conversation with the latest message comes first; see `sort`. All filters must match.

    With `updatedSince`, returns the conversations that changed since then, or in which something happened,
    oldest change first. One that changes again appears again.
    """
    sort = sorted_by(query, "newest")
    name = call.list_name(LIST if sort == "newest" else f"{LIST} {sort}")
    with db.read() as session:
        if sort == "updated":
            page_ids = changes(session, call, query, name, event_changes.conversations)
            mine = replace(filter_of(query), accounts=call.accounts)
            found = queries.matching_rows(session, call.workspace_id, None, mine, page_ids.ids)
            rows = {row.id: row for row in found}
            data = _listed(session, call, [rows[id_] for id_ in page_ids.ids if id_ in rows])
            return Conversations(data=data, next=page_ids.next)
        before = None if query.cursor is None else cursors.read(name, query.cursor, "cursor")
        if not queries.has_accounts(session, call.workspace_id, query.channel):
            return Conversations(data=[], next=None)
        page = queries.list_conversations(
            session,
            call.workspace_id,
            None,
            replace(filter_of(query), accounts=call.accounts),
            before=before,
            limit=query.limit,
            order=Order(sort),
        )
        data = _listed(session, call, page.rows)
    return Conversations(
        data=data,
        next=None if page.next is None else cursors.write(name, page.next),
    )


class ContactConversationsQuery(Wire, frozen=True):
    """The page of a contact's conversations."""

    limit: Limit = 50
    cursor: Annotated[str | None, Meta(description="`next` of the previous page.")] = None


@routes.get(
    "/contacts/{contact_id}/conversations",
    "List the conversations of a contact",
    tag="Contacts",
    limited=True,
    errors=(CursorError, ContactNotFoundError),
)
def list_contact_conversations(
    call: Call, contact_id: int, query: ContactConversationsQuery
) -> Conversations:
    """On every account, open and closed, including spam and merged contacts; latest message first."""
    name = call.list_name("conversations of contact")
    before = None if query.cursor is None else cursors.read(name, query.cursor, "cursor")
    with db.read() as session:
        contact = people.get(session, call.workspace_id, contact_id, accounts=call.accounts)
        members = people.members_of(session, contact.id)
        page = queries.of_contacts(
            session,
            call.workspace_id,
            members,
            before=before,
            limit=query.limit,
            accounts=call.accounts,
        )
        data = _listed(session, call, page.rows)
    return Conversations(data=data, next=None if page.next is None else cursors.write(name, page.next))


def filter_of(query: ConversationQuery) -> ConversationFilter:
    """Return the filter for the parameters of a list."""
    assignee: int | Assignee | None = None
    if query.assignee is not None:
        assignee = Assignee.NOBODY if query.assignee == "none" else int(query.assignee)
    return ConversationFilter(
        status=None if query.status is None else ConversationStatus(query.status),
        channel=query.channel,
        account_id=query.account,
        assignee=assignee,
        team=None if query.team is None else AnyTeam.NONE if query.team == "none" else int(query.team),
        handled_by=None if query.handled_by is None else Handler(query.handled_by),
        contact=query.contact,
        labels=_ids(query.labels),
        all_labels=_ids(query.all_labels),
        no_labels=_ids(query.no_labels),
        snoozed=query.snoozed,
        spam=query.spam,
        needs_reply=query.needs_reply,
        failed=query.failed,
        mentioned=query.mentioned,
        late=query.late,
        scheduled=query.scheduled,
        post=query.post,
    )


def _ids(text: str | None) -> frozenset[int] | None:
    return None if text is None else frozenset(map(int, text.split(",")))


def snooze_of(wished: shapes.Snooze | None) -> Snooze | None:
    """Return the snooze requested in a body."""
    return None if wished is None else Snooze(SnoozeKind(wished.kind), wished.until)


def get(session: Session, call: Call, conversation_id: int) -> Row:
    """Return a conversation of the key's workspace.

    :raises ConversationNotFoundError: if the workspace has no such conversation.
    """
    row = queries.get_row(session, call.workspace_id, conversation_id, accounts=call.accounts)
    if row is None:
        raise ConversationNotFoundError(next_step="")
    return row


def check_can_reply(session: Session, call: Call, conversation_id: int, member_id: int) -> None:
    """Raise unless the person that a body names as ``memberId`` can reply in a conversation.

    :raises ConversationNotFoundError: if the workspace has no such conversation.
    :raises NotAMemberError: if they are not a member who may answer on its account.
    """
    account_id = get(session, call, conversation_id).account.id
    if all(one.id != member_id for one in queries.members(session, call.workspace_id, account_id)):
        raise NotAMemberError(
            _l("This person can't reply in this conversation, so nothing was changed."),
            next_step=_l("Choose someone who can."),
            field="memberId",
        )


@routes.get(
    "/conversations/{conversation_id}",
    "Get a conversation",
    limited=True,
    errors=(ConversationNotFoundError,),
)
def get_conversation(call: Call, conversation_id: int) -> Conversation:
    """The conversation with its contact, its assignee, and whether a reply may be sent now."""
    with db.read() as session:
        return shown(session, call, get(session, call, conversation_id))


def _current(session: Session, call: Call, conversation_id: int) -> Conversation:
    locked(session, ConversationRow, conversation_id)
    return shown(session, call, get(session, call, conversation_id))


@routes.patch(
    "/conversations/{conversation_id}",
    "Assign, close, label or snooze a conversation",
    limited=True,
    current=_current,
    errors=(
        ConversationNotFoundError,
        LabelNotFoundError,
        NotAMemberError,
        NotSnoozableError,
        SnoozeTimeError,
        TeamNotFoundError,
    ),
    examples={
        "Close it": {"status": "closed"},
        "Unassign it": {"assignee": None},
        "Assign it to a team": {"team": 5},
        "Label it": {"addLabels": [3]},
        "Snooze it until they write": {"snooze": {"kind": "reply"}},
    },
    fields={
        LabelNotFoundError: "addLabels",
        TeamNotFoundError: "team",
        NotAMemberError: "assignee",
        SnoozeTimeError: "snooze",
        NotSnoozableError: "snooze",
    },
)
def change_conversation(call: Call, conversation_id: int, body: UpdateConversation) -> Conversation:
    """Changes one or several properties; each adds a line to the thread, in the name of the key."""

    changes: Changes = {}
    if body.team is not UNSET:
        changes["team_id"] = body.team
    if body.assignee is not UNSET:
        changes["assignee_id"] = body.assignee
    if body.status is not UNSET:
        changes["status"] = ConversationStatus(body.status)
    if body.snooze is not UNSET:
        changes["snooze"] = snooze_of(body.snooze)
    if body.spam is not UNSET:
        changes["spam"] = body.spam
    if body.handled_by is not UNSET:
        changes["handled_by"] = Handler(body.handled_by)

    def change(work: UnitOfWork) -> Conversation:
        try:
            conversation_actions.set_fields(work, conversation_id, changes)
            if body.add_labels or body.remove_labels:
                labels.set_labels(work, conversation_id, add=body.add_labels, remove=body.remove_labels)
        except ConversationNotFoundError:
            raise ConversationNotFoundError(next_step="") from None
        return shown(work.session, call, get(work.session, call, conversation_id))

    return call.write(change)
