"""Routes for labels."""

from __future__ import annotations

from typing import Annotated, Any, cast

from msgspec import UNSET, Meta, UnsetType
from sqlalchemy.orm import Session

from host.api import shapes
from host.api.http.call import Call, void
from host.api.http.declare import Id, Wire, route
from host.api.http.errors import BodyError
from host.api.http.fields import about
from host.core import db
from host.inbox.labels import labels
from host.inbox.labels.errors import LabelNameError, LabelNotFoundError
from host.inbox.labels.models import Label as Row
from host.inbox.labels.models import LabelTone
from host.users.api_keys import Scope

Name = Annotated[
    str, Meta(max_length=300, description="A unique name of at most 40 characters.", examples=["order"])
]


class Labels(Wire, frozen=True):
    """The labels of the workspace, by name."""

    data: list[shapes.LabelRef]


class CreateLabel(Wire, frozen=True):
    """A label to create."""

    name: Name
    tone: shapes.Tone = "blue"


class UpdateLabel(Wire, frozen=True):
    """Fields to change; omitted fields keep their values."""

    name: Name | UnsetType = UNSET
    tone: shapes.Tone | UnsetType = UNSET


class MergeLabel(Wire, frozen=True):
    """The label to merge into."""

    into: Annotated[Id, Meta(description="The id of the label that stays.")]


def _shown(row: Row) -> shapes.LabelRef:
    return shapes.LabelRef(id=row.id, name=row.name, tone=cast(Any, str(row.tone)))


def _current(session: Session, call: Call, label_id: int) -> shapes.LabelRef:
    return _shown(labels.get(session, call.workspace_id, label_id, lock=True))


@route(
    "GET",
    "/labels",
    tag="Labels",
    summary="List labels",
    scope=Scope.CONVERSATIONS_READ,
    limited=True,
    answer=Labels,
)
def list_labels(call: Call) -> Labels:
    """All labels, by name."""
    with db.read() as session:
        return Labels(data=[_shown(row) for row in labels.all_of(session, call.workspace_id)])


@route(
    "POST",
    "/labels",
    tag="Labels",
    summary="Add a label",
    scope=Scope.SETTINGS_WRITE,
    body=CreateLabel,
    answer=shapes.LabelRef,
    status=201,
    location="/labels/{id}",
    errors=(BodyError, LabelNameError),
    examples={"For orders": {"name": "order", "tone": "orange"}},
    fields={LabelNameError: "name"},
)
def create_label(call: Call, body: CreateLabel) -> bytes:
    """Names are unique, ignoring case."""

    def use_case(session: Session) -> shapes.LabelRef:
        row = labels.create(
            session,
            workspace_id=call.workspace_id,
            name=body.name,
            tone=LabelTone(body.tone),
            actor=call.actor,
            now=call.now,
        )
        return _shown(row)

    return call.commit(use_case)


@route(
    "GET",
    "/labels/{label_id}",
    tag="Labels",
    summary="Get a label",
    scope=Scope.CONVERSATIONS_READ,
    limited=True,
    answer=shapes.LabelRef,
    errors=(LabelNotFoundError,),
)
def get_label(call: Call, label_id: int) -> shapes.LabelRef:
    """Its name and color."""
    with db.read() as session:
        return _shown(labels.get(session, call.workspace_id, label_id))


@route(
    "PATCH",
    "/labels/{label_id}",
    tag="Labels",
    summary="Change the name or color of a label",
    scope=Scope.SETTINGS_WRITE,
    current=_current,
    body=UpdateLabel,
    answer=shapes.LabelRef,
    errors=(BodyError, LabelNameError, LabelNotFoundError),
    examples={"Another color": {"tone": "red"}},
    fields={LabelNameError: "name"},
)
def change_label(call: Call, label_id: int, body: UpdateLabel) -> bytes:
    """Every conversation with the label shows the change immediately."""

    def use_case(session: Session) -> shapes.LabelRef:
        row = labels.change(
            session,
            workspace_id=call.workspace_id,
            label_id=label_id,
            name=None if body.name is UNSET else body.name,
            tone=None if body.tone is UNSET else LabelTone(body.tone),
            actor=call.actor,
        )
        return _shown(row)

    return call.commit(use_case)


@route(
    "DELETE",
    "/labels/{label_id}",
    tag="Labels",
    summary="Delete a label",
    scope=Scope.SETTINGS_WRITE,
    current=_current,
    errors=(LabelNotFoundError,),
)
def delete_label(call: Call, label_id: int) -> None:
    """Removes it from every conversation; the conversations stay."""
    named = {"workspace_id": call.workspace_id, "label_id": label_id}
    call.commit(lambda session: void(labels.delete(session, **named, actor=call.actor)))


@route(
    "POST",
    "/labels/{label_id}/merge",
    tag="Labels",
    summary="Merge a label into another",
    scope=Scope.SETTINGS_WRITE,
    body=MergeLabel,
    answer=shapes.LabelRef,
    errors=(BodyError, LabelNameError, LabelNotFoundError),
    examples={"Into another": {"into": 7}},
    fields={LabelNameError: "into", LabelNotFoundError: "into"},
)
def merge_label(call: Call, label_id: int, body: MergeLabel) -> bytes:
    """Every conversation with the first label gets the second; the first is deleted. Returns the second."""

    def use_case(session: Session) -> shapes.LabelRef:
        with about("label_id", LabelNotFoundError):
            labels.get(session, call.workspace_id, label_id)
        _gone, kept = labels.merge(
            session, workspace_id=call.workspace_id, label_id=label_id, into_id=body.into, actor=call.actor
        )
        return _shown(kept)

    return call.commit(use_case)
