"""Labels of the workspace, and the saved views that everybody shares."""

from __future__ import annotations

from typing import Annotated, Any, cast

from flask_babel import lazy_gettext as _l
from msgspec import UNSET, Meta, UnsetType
from sqlalchemy.orm import Session

from host.api import shapes
from host.api.http.call import Call
from host.api.http.declare import Id, Wire, route
from host.api.http.errors import BodyError
from host.api.routes.conversations import ConversationQuery, filter_of
from host.core import db
from host.inbox import labels, saved_views
from host.inbox.errors import (
    LabelNameError,
    LabelNotFoundError,
    TooManyViewsError,
    ViewNameError,
    ViewNotFoundError,
    ViewSearchError,
)
from host.inbox.queries import ConversationFilter
from host.models.labels import Label as Row
from host.models.labels import LabelTone
from host.models.saved_views import SavedView
from host.users.api_keys import Scope

Name = Annotated[
    str, Meta(max_length=300, description="At most 40 letters that no other label has.", examples=["order"])
]


class Labels(Wire, frozen=True):
    """The labels of the workspace, by name."""

    data: list[shapes.LabelRef]


class NewLabel(Wire, frozen=True):
    """A label to be made."""

    name: Name
    tone: shapes.Tone = "blue"


class LabelChange(Wire, frozen=True):
    """What is to become different; what is left out stays."""

    name: Name | UnsetType = UNSET
    tone: shapes.Tone | UnsetType = UNSET


class MergeLabel(Wire, frozen=True):
    """What a label is merged into."""

    into: Annotated[Id, Meta(description="The id of the label that stays.")]


class View(Wire, frozen=True):
    """A saved view that the workspace shares."""

    id: Id
    name: str
    condition: Annotated[
        dict[str, Any],
        Meta(
            description="The fields of its filter that matter; of a search `search`, its text.",
            examples=[{"status": "open", "labels": [3]}, {"search": "label:orders glaze"}],
        ),
    ]


class Views(Wire, frozen=True):
    """The shared views, in their order."""

    data: list[View]


class NewView(Wire, frozen=True):
    """A view to be saved."""

    name: Annotated[str, Meta(max_length=300, examples=["Orders to answer"])]
    filter: Annotated[
        ConversationQuery | UnsetType,
        Meta(description="The parameters of the list of conversations; no `cursor`."),
    ] = UNSET
    search: (
        Annotated[str, Meta(max_length=2000, description="A search, instead of a filter.")] | UnsetType
    ) = UNSET


class ViewChange(Wire, frozen=True):
    """What is to become different; what is left out stays."""

    name: Annotated[str, Meta(max_length=300)] | UnsetType = UNSET
    filter: ConversationQuery | UnsetType = UNSET
    search: Annotated[str, Meta(max_length=2000)] | UnsetType = UNSET


def _shows(body: NewView | ViewChange) -> ConversationFilter | str | None:
    """Return what a view is to show: a filter, or the text of a search; None: the body has neither.

    :raises BodyError: if it has both.
    """
    if body.filter is not UNSET and body.search is not UNSET:
        raise BodyError(_l("A view has `filter` or `search`, not both, so nothing was saved."))
    if body.search is not UNSET:
        return body.search
    return None if body.filter is UNSET else filter_of(body.filter)


def _shown(row: Row) -> shapes.LabelRef:
    return shapes.LabelRef(id=row.id, name=row.name, tone=cast(Any, str(row.tone)))


@route("GET", "/labels", tag="Labels", summary="List labels", scope=Scope.READ, answer=Labels)
def list_labels(call: Call) -> Labels:
    """All of them, by name."""
    with db.read() as session:
        return Labels(data=[_shown(row) for row in labels.all_of(session, call.workspace_id)])


@route(
    "POST",
    "/labels",
    tag="Labels",
    summary="Add a label",
    scope=Scope.WRITE,
    body=NewLabel,
    answer=shapes.LabelRef,
    status=201,
    errors=(BodyError, LabelNameError),
    examples={"For orders": {"name": "order", "tone": "orange"}},
)
def create_label(call: Call, body: NewLabel) -> bytes:
    """Its name is one that no other label has, capital letters aside."""

    def use_case(session: Session) -> shapes.LabelRef:
        row = labels.create(
            session, workspace_id=call.workspace_id, name=body.name, tone=LabelTone(body.tone), now=call.now
        )
        call.audit(session, "label.added", row.name)
        return _shown(row)

    return call.commit(use_case)


@route(
    "PATCH",
    "/labels/{label_id}",
    tag="Labels",
    summary="Rename or recolour a label",
    scope=Scope.WRITE,
    body=LabelChange,
    answer=shapes.LabelRef,
    errors=(BodyError, LabelNameError, LabelNotFoundError),
    examples={"Another colour": {"tone": "red"}},
)
def change_label(call: Call, label_id: int, body: LabelChange) -> bytes:
    """Every conversation that has it shows the change at once."""

    def use_case(session: Session) -> shapes.LabelRef:
        row = labels.change(
            session,
            workspace_id=call.workspace_id,
            label_id=label_id,
            name=None if body.name is UNSET else body.name,
            tone=None if body.tone is UNSET else LabelTone(body.tone),
        )
        call.audit(session, "label.changed", row.name)
        return _shown(row)

    return call.commit(use_case)


@route(
    "DELETE",
    "/labels/{label_id}",
    tag="Labels",
    summary="Delete a label",
    scope=Scope.WRITE,
    errors=(LabelNotFoundError,),
)
def delete_label(call: Call, label_id: int) -> None:
    """It is taken off every conversation; these stay."""

    def use_case(session: Session) -> None:
        row = labels.delete(session, workspace_id=call.workspace_id, label_id=label_id, author_id=None)
        call.audit(session, "label.deleted", row.name)

    db.write(use_case)


@route(
    "POST",
    "/labels/{label_id}/merge",
    tag="Labels",
    summary="Merge a label into another",
    scope=Scope.WRITE,
    body=MergeLabel,
    answer=shapes.LabelRef,
    errors=(BodyError, LabelNameError, LabelNotFoundError),
    examples={"Into another": {"into": 7}},
)
def merge_label(call: Call, label_id: int, body: MergeLabel) -> bytes:
    """Every conversation with the first has the second instead, and the first is gone. Answers the second."""

    def use_case(session: Session) -> shapes.LabelRef:
        gone, kept = labels.merge(
            session, workspace_id=call.workspace_id, label_id=label_id, into_id=body.into, author_id=None
        )
        call.audit(session, "label.merged", gone.name, into=kept.name)
        return _shown(kept)

    return call.commit(use_case)


def _view(row: SavedView) -> View:
    return View(id=row.id, name=row.name, condition=dict(row.condition))


@route("GET", "/views", tag="Labels", summary="List shared views", scope=Scope.READ, answer=Views)
def list_views(call: Call) -> Views:
    """Those of everybody, in their order. What members keep for themselves is theirs."""
    with db.read() as session:
        return Views(data=[_view(row) for row in saved_views.shared(session, call.workspace_id)])


@route(
    "POST",
    "/views",
    tag="Labels",
    summary="Save a shared view",
    scope=Scope.WRITE,
    body=NewView,
    answer=View,
    status=201,
    errors=(BodyError, TooManyViewsError, ViewNameError, ViewSearchError),
    examples={
        "Open orders": {"name": "Orders to answer", "filter": {"status": "open", "labels": "3"}},
        "A search": {"name": "Glaze in orders", "search": "label:orders glaze"},
    },
)
def create_view(call: Call, body: NewView) -> bytes:
    """It stands behind the others, for everybody: a filter or a search."""
    shows = _shows(body)
    if shows is None:
        raise BodyError(_l("A view needs `filter` or `search`, so nothing was saved."))

    def use_case(session: Session) -> View:
        row = saved_views.create(
            session,
            workspace_id=call.workspace_id,
            owner_id=None,
            name=body.name,
            shows=shows,
            now=call.now,
        )
        call.audit(session, "view.added", row.name)
        return _view(row)

    return call.commit(use_case)


@route(
    "PATCH",
    "/views/{view_id}",
    tag="Labels",
    summary="Change a shared view",
    scope=Scope.WRITE,
    body=ViewChange,
    answer=View,
    errors=(BodyError, ViewNameError, ViewNotFoundError, ViewSearchError),
    examples={"Another name": {"name": "Orders"}},
)
def change_view(call: Call, view_id: int, body: ViewChange) -> bytes:
    """Its name, or what it shows."""

    def use_case(session: Session) -> View:
        row = saved_views.get(session, call.workspace_id, view_id, None, lock=True)
        saved_views.change(
            row,
            name=None if body.name is UNSET else body.name,
            shows=_shows(body),
        )
        session.flush()
        call.audit(session, "view.changed", row.name)
        return _view(row)

    return call.commit(use_case)


@route(
    "DELETE",
    "/views/{view_id}",
    tag="Labels",
    summary="Delete a shared view",
    scope=Scope.WRITE,
    errors=(ViewNotFoundError,),
)
def delete_view(call: Call, view_id: int) -> None:
    """The conversations it shows stay as they are."""

    def use_case(session: Session) -> None:
        row = saved_views.get(session, call.workspace_id, view_id, None, lock=True)
        call.audit(session, "view.deleted", row.name)
        saved_views.delete(session, row)

    db.write(use_case)
