"""Routes for canned replies of the workspace and its teams, and for shared macros."""

from __future__ import annotations

from typing import Annotated, Any
from zoneinfo import ZoneInfo

from msgspec import UNSET, Meta, UnsetType, field
from sqlalchemy.orm import Session

from host.api import shapes
from host.api.http.call import Call, locked, new_reply_key
from host.api.http.declare import Id, Moment, Router, Wire
from host.api.http.refusals import FILES
from host.api.serialise import some_messages
from host.automation import actions
from host.automation.actions import ActionContext
from host.core import db
from host.inbox.canned import macros, replies
from host.inbox.canned.macros import MacroNotFoundError, MacroStepError
from host.inbox.canned.models import CannedReply as CannedReplyRow
from host.inbox.canned.replies import (
    CannedReplyError,
    CannedReplyInput,
    CannedReplyNotFoundError,
    CannedReplyView,
    Viewer,
)
from host.inbox.conversations import conversation_row
from host.inbox.errors import ConversationNotFoundError
from host.inbox.variables import VariableError
from host.models.users import Workspace
from host.sdk.messages import MessageKind
from host.users.actor import UnitOfWork
from host.users.api_keys import Scope

routes = Router("Canned replies", read=Scope.MESSAGES_READ, write=Scope.SETTINGS_WRITE)

PROGRAM = Viewer(None, keeps=True)

Shortcut = Annotated[
    str,
    Meta(max_length=300, description="Up to 32 letters, digits, dots and hyphens.", examples=["parcel-sent"]),
]
Title = Annotated[str, Meta(max_length=300, examples=["Parcel is on its way"])]
Texts = Annotated[
    dict[str, str],
    Meta(
        description=(
            "By language; `default` is used for all others. Variables such as `{{contact.name}}` are "
            "filled in when it is used; a person fills in the rest."
        ),
        examples=[
            {"default": 'Hello {{contact.first_name || "there"}}, parcel {{ask: number}} is on its way.'}
        ],
    ),
]
Team = Annotated[Id | None, Meta(description="The id of its team; null: shared with everyone.")]
Uploads = Annotated[
    list[str],
    Meta(max_length=10, description="Ids of uploaded files to send with it; each id can be used once."),
]


class CannedFile(Wire, frozen=True):
    """A file of a canned reply."""

    id: Id
    kind: MessageKind
    name: str
    content_type: str
    size: int


class CannedReply(Wire, frozen=True):
    """A saved reply."""

    id: Id
    shortcut: Shortcut
    title: str
    texts: Texts
    team: Team
    files: list[CannedFile]
    uses: Annotated[int, Meta(description="Number of replies sent with it.")]
    used_at: Moment | None
    changed_at: Moment


class CannedReplies(Wire, frozen=True):
    """Shared and team replies, most used first."""

    data: list[CannedReply]


class CreateCannedReply(Wire, frozen=True):
    """A canned reply to create."""

    shortcut: Shortcut
    title: Title
    texts: Texts = field(default_factory=dict)
    team: Team = None
    uploads: Uploads = field(default_factory=list)


class UpdateCannedReply(Wire, frozen=True):
    """Fields to change; omitted fields keep their values."""

    shortcut: Shortcut | UnsetType = UNSET
    title: Title | UnsetType = UNSET
    texts: Texts | UnsetType = UNSET
    team: Team | UnsetType = UNSET
    keep_files: (
        Annotated[list[Id], Meta(max_length=10, description="Ids of its files to keep.")] | UnsetType
    ) = UNSET
    uploads: Uploads = field(default_factory=list)


class Macro(Wire, frozen=True):
    """A shared macro: several actions at once."""

    id: Id
    name: str
    steps: Annotated[
        list[dict[str, Any]],
        Meta(
            description="Its steps, in order: `do` and its argument.",
            examples=[[{"do": "label", "label": 3}, {"do": "reply", "canned": 7}, {"do": "close"}]],
        ),
    ]
    uses: int
    used_at: Moment | None


class Macros(Wire, frozen=True):
    """The shared macros, most used first."""

    data: list[Macro]


def _shown(row: CannedReplyView) -> CannedReply:
    return CannedReply.of(
        row,
        texts=dict(row.texts),
        team=row.team_id,
        files=[CannedFile.of(one, kind=MessageKind(one.kind)) for one in row.files],
    )


def _current(session: Session, call: Call, canned_id: int) -> CannedReply:
    locked(session, CannedReplyRow, canned_id)
    return _shown(replies.seen(session, call.workspace_id, canned_id, PROGRAM))


@routes.get("/canned-replies", "List canned replies", limited=True)
def list_canned_replies(call: Call) -> CannedReplies:
    """Shared and team replies. Members' own replies are private."""
    with db.read() as session:
        return CannedReplies(
            data=[_shown(row) for row in replies.listing(session, call.workspace_id, PROGRAM)]
        )


@routes.post(
    "/canned-replies",
    "Add a canned reply",
    location="/canned-replies/{id}",
    errors=(CannedReplyError, VariableError, *FILES),
    fields={VariableError: "text"},
    examples={
        "In two languages": {
            "shortcut": "thanks",
            "title": "Thanks",
            "texts": {"default": 'Thank you, {{contact.first_name || "and see you"}}!', "de": "Danke!"},
        }
    },
)
def create_canned_reply(call: Call, body: CreateCannedReply) -> CannedReply:
    """The shortcut must be unique among shared replies, or among those of its team."""
    wanted = CannedReplyInput(body.shortcut, body.title, body.texts, body.team, uploads=tuple(body.uploads))

    return call.write(
        lambda work: replies.create(work, wanted, PROGRAM),
        lambda work, row: _current(work.session, call, row.id),
    )


@routes.get(
    "/canned-replies/{canned_id}", "Get a canned reply", limited=True, errors=(CannedReplyNotFoundError,)
)
def get_canned_reply(call: Call, canned_id: int) -> CannedReply:
    """A shared reply, or one of a team."""
    with db.read() as session:
        return _shown(replies.seen(session, call.workspace_id, canned_id, PROGRAM))


@routes.patch(
    "/canned-replies/{canned_id}",
    "Change a canned reply",
    current=_current,
    errors=(CannedReplyError, CannedReplyNotFoundError, VariableError, *FILES),
    fields={VariableError: "text"},
    examples={"Another title": {"title": "The parcel left"}},
)
def change_canned_reply(call: Call, canned_id: int, body: UpdateCannedReply) -> CannedReply:
    """Messages already sent with it don't change."""

    def change(work: UnitOfWork) -> CannedReply:
        before = replies.seen(work.session, work.workspace_id, canned_id, PROGRAM)
        wanted = CannedReplyInput(
            before.shortcut if body.shortcut is UNSET else body.shortcut,
            before.title if body.title is UNSET else body.title,
            before.texts if body.texts is UNSET else body.texts,
            before.team_id if body.team is UNSET else body.team,
            keep=None if body.keep_files is UNSET else frozenset(body.keep_files),
            uploads=tuple(body.uploads),
        )
        replies.change(work, canned_id, wanted, PROGRAM)
        return _current(work.session, call, canned_id)

    return call.write(change)


@routes.delete(
    "/canned-replies/{canned_id}",
    "Delete a canned reply",
    current=_current,
    errors=(CannedReplyNotFoundError,),
)
def delete_canned_reply(call: Call, canned_id: int) -> None:
    """Deletes its files too. Messages sent with it stay."""
    call.write(lambda work: replies.delete(work, canned_id, PROGRAM))


@routes.get("/macros", "List macros", limited=True)
def list_macros(call: Call) -> Macros:
    """Shared macros. People create them under Settings, Replies and macros."""
    with db.read() as session:
        rows = macros.listing(session, call.workspace_id, PROGRAM)
    return Macros(
        data=[Macro.of(row, steps=[actions.to_builtins(step) for step in row.steps]) for row in rows]
    )


@routes.post(
    "/conversations/{conversation_id}/macros/{macro_id}",
    "Run a macro",
    scope=Scope.CONVERSATIONS_WRITE,
    also=(Scope.MESSAGES_WRITE,),
    limited=True,
    errors=(ConversationNotFoundError, MacroNotFoundError, MacroStepError),
)
def run_macro(call: Call, conversation_id: int, macro_id: int) -> shapes.Sent:
    """Runs all its steps or none, in the name of the key; `macro_step` says which step failed, and why.

    The response has the messages it sent. A step that assigns to the person running it is refused: a program
    has no conversations of its own.
    """

    def run(work: UnitOfWork) -> shapes.Sent:
        session, workspace_id = work.session, work.workspace_id
        try:
            row = conversation_row(session, workspace_id, conversation_id, accounts=work.accounts)
        except ConversationNotFoundError:
            raise ConversationNotFoundError(next_step="") from None
        zone = session.get_one(Workspace, workspace_id).timezone
        context = ActionContext(PROGRAM, new_reply_key(), ZoneInfo(zone or "UTC"))
        adapter = call.adapter(row.channel)
        _macro, messages = macros.run(work, conversation_id, macro_id, context=context, adapter=adapter)
        return shapes.Sent(data=some_messages(session, workspace_id, [one.id for one in messages]))

    return call.write(run)
