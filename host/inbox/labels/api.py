"""Routes for labels."""

from __future__ import annotations

from typing import Annotated, Any, cast

from msgspec import UNSET, Meta, UnsetType
from sqlalchemy.orm import Session

from host.api import shapes
from host.api.http.call import Call
from host.api.http.declare import Id, Router, Wire
from host.api.http.fields import about, given
from host.core import db
from host.inbox.labels import labels
from host.inbox.labels.errors import LabelNameError, LabelNotFoundError
from host.inbox.labels.models import Label as Row
from host.inbox.labels.models import LabelTone
from host.users.actor import UnitOfWork
from host.users.api_keys import Scope

routes = Router("Labels", read=Scope.CONVERSATIONS_READ, write=Scope.SETTINGS_WRITE)

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


@routes.get("/labels", "List labels", limited=True)
def list_labels(call: Call) -> Labels:
    """All labels, by name."""
    with db.read() as session:
        return Labels(data=[_shown(row) for row in labels.all_of(session, call.workspace_id)])


@routes.post(
    "/labels",
    "Add a label",
    location="/labels/{id}",
    errors=(LabelNameError,),
    examples={"For orders": {"name": "order", "tone": "orange"}},
    fields={LabelNameError: "name"},
)
def create_label(call: Call, body: CreateLabel) -> shapes.LabelRef:
    """Names are unique, ignoring case."""
    return call.write(lambda work: _shown(labels.create(work, name=body.name, tone=LabelTone(body.tone))))


@routes.get("/labels/{label_id}", "Get a label", limited=True, errors=(LabelNotFoundError,))
def get_label(call: Call, label_id: int) -> shapes.LabelRef:
    """Its name and color."""
    with db.read() as session:
        return _shown(labels.get(session, call.workspace_id, label_id))


@routes.patch(
    "/labels/{label_id}",
    "Change the name or color of a label",
    current=_current,
    errors=(LabelNameError, LabelNotFoundError),
    examples={"Another color": {"tone": "red"}},
    fields={LabelNameError: "name"},
)
def change_label(call: Call, label_id: int, body: UpdateLabel) -> shapes.LabelRef:
    """Every conversation with the label shows the change immediately."""
    return call.write(lambda work: _shown(labels.change(work, label_id, **given(body))))


@routes.delete("/labels/{label_id}", "Delete a label", current=_current, errors=(LabelNotFoundError,))
def delete_label(call: Call, label_id: int) -> None:
    """Removes it from every conversation; the conversations stay."""
    call.write(lambda work: labels.delete(work, label_id))


@routes.post(
    "/labels/{label_id}/merge",
    "Merge a label into another",
    errors=(LabelNameError, LabelNotFoundError),
    examples={"Into another": {"into": 7}},
    fields={LabelNameError: "into", LabelNotFoundError: "into"},
)
def merge_label(call: Call, label_id: int, body: MergeLabel) -> shapes.LabelRef:
    """Every conversation with the first label gets the second; the first is deleted. Returns the second."""

    def merge(work: UnitOfWork) -> shapes.LabelRef:
        with about("label_id", LabelNotFoundError):
            labels.get(work.session, work.workspace_id, label_id)
        _gone, kept = labels.merge(work, label_id, into_id=body.into)
        return _shown(kept)

    return call.write(merge)
