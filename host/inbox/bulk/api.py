"""Routes for bulk actions: start, progress, stop and undo."""

from __future__ import annotations

from typing import Annotated, Literal

from flask_babel import lazy_gettext as _l
from msgspec import Meta

from host.api import shapes
from host.api.http.call import Call
from host.api.http.declare import Id, Moment, Router, Wire
from host.api.http.fields import about
from host.core import db
from host.inbox.api.conversations import ConversationQuery, filter_of, snooze_of
from host.inbox.bulk import actions
from host.inbox.bulk.actions import BulkChange, BulkProgress
from host.inbox.errors import (
    BulkError,
    BulkNotFoundError,
    NotAMemberError,
    SnoozeTimeError,
    UndoOverError,
)
from host.inbox.labels.errors import LabelNotFoundError
from host.inbox.teams.errors import TeamNotFoundError
from host.users.actor import UnitOfWork
from host.users.api_keys import Scope

routes = Router("Conversations", read=Scope.CONVERSATIONS_READ, write=Scope.CONVERSATIONS_WRITE)

Action = Literal[
    "close", "open", "assign", "team", "label", "unlabel", "snooze", "wake", "spam", "unspam", "read"
]


class CreateBulkAction(Wire, frozen=True):
    """An action, and the conversations to apply it to."""

    action: Action
    conversation_ids: (
        Annotated[
            list[Id], Meta(min_length=1, max_length=200, description="Only these. Otherwise, use a filter.")
        ]
        | None
    ) = None
    filter: Annotated[
        ConversationQuery | None,
        Meta(
            description="All conversations that match now; takes the parameters of the list of conversations."
        ),
    ] = None
    all: Annotated[
        bool, Meta(description="Must be true for a filter that matches everything, such as `{}`.")
    ] = False
    assignee: Annotated[Id | None, Meta(description="With `assign`; null: nobody.")] = None
    team: Annotated[Id | None, Meta(description="With `team`; null: none.")] = None
    label: Annotated[Id | None, Meta(description="With `label` and `unlabel`.")] = None
    snooze: Annotated[shapes.Snooze | None, Meta(description="With `snooze`.")] = None


class BulkAction(Wire, frozen=True):
    """The progress of a bulk action."""

    id: Id
    action: Action
    state: Annotated[
        Literal["running", "done", "stopped", "undoing", "undone"],
        Meta(description="It runs in the background: poll while it is `running` or `undoing`."),
    ]
    total: Annotated[int, Meta(description="Number of conversations to change.")]
    done: Annotated[int, Meta(description="Number of conversations processed.")]
    changed: Annotated[int, Meta(description="Number of conversations changed.")]
    skipped: Annotated[int, Meta(description="Number of conversations that could not be changed.")]
    restored: Annotated[int, Meta(description="Number of conversations restored by the undo.")]
    kept: Annotated[int, Meta(description="Number of conversations not restored because they changed since.")]
    created_at: Moment
    undo_until: Moment


def _shown(one: BulkProgress) -> BulkAction:
    return BulkAction.of(one, state=one.state.value)


@routes.post(
    "/bulk-actions",
    "Change many conversations",
    location="/bulk-actions/{id}",
    errors=(BulkError, LabelNotFoundError, NotAMemberError, SnoozeTimeError, TeamNotFoundError),
    examples={
        "Close answered conversations": {
            "action": "close",
            "filter": {"status": "open", "needsReply": False},
        },
        "Label some conversations": {"action": "label", "label": 3, "conversationIds": [41, 42]},
    },
    goes_on=True,
    fields={
        LabelNotFoundError: "label",
        TeamNotFoundError: "team",
        NotAMemberError: "assignee",
        SnoozeTimeError: "snooze",
    },
)
def create_bulk_action(call: Call, body: CreateBulkAction) -> BulkAction:
    """Changes exactly the conversations that match at the time of the request, in the background, each once.

    It can be undone for an hour. A filter that matches every conversation needs `all`.
    """
    if (body.conversation_ids is None) is (body.filter is None):
        raise BulkError(field="filter" if body.filter is not None else "conversationIds")
    filter_ = filter_of(body.filter or ConversationQuery())
    if body.filter is not None and not body.all and filter_ == filter_of(ConversationQuery()):
        raise BulkError(
            _l("This filter matches every conversation in the workspace. Nothing was changed."),
            next_step=_l("If you mean all of them, send “all”: true."),
            field="all",
        )
    change = BulkChange(
        body.action,
        assignee_id=body.assignee,
        team_id=body.team,
        label_id=body.label,
        snooze=snooze_of(body.snooze),
    )

    def create(work: UnitOfWork) -> int:
        with about("filter" if body.conversation_ids is None else "conversationIds", BulkError):
            return actions.create(work, change, filter_, ids=body.conversation_ids)

    return call.write(
        create, lambda work, bulk_id: _shown(actions.get(work.session, work.workspace_id, bulk_id))
    )


@routes.get("/bulk-actions/{bulk_id}", "Get a bulk action", errors=(BulkNotFoundError,))
def get_bulk_action(call: Call, bulk_id: int) -> BulkAction:
    """Bulk actions of members are not visible. They are deleted after a week."""
    with db.read() as session:
        return _shown(actions.of_user(session, call.workspace_id, None, bulk_id))


@routes.post("/bulk-actions/{bulk_id}/stop", "Stop a bulk action", errors=(BulkNotFoundError,))
def stop_bulk_action(call: Call, bulk_id: int) -> BulkAction:
    """Conversations that were already changed stay changed. Stopping one that is not running does nothing."""

    return call.write(lambda work: _shown(actions.stop(work, bulk_id)))


@routes.post(
    "/bulk-actions/{bulk_id}/undo",
    "Undo a bulk action",
    errors=(BulkNotFoundError, UndoOverError),
    goes_on=True,
)
def undo_bulk_action(call: Call, bulk_id: int) -> BulkAction:
    """Restores each conversation that has not changed since; a running action is stopped first."""
    return _shown(actions.undo(call.acting, bulk_id))
