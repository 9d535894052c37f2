"""API routes of shared saved views."""

from __future__ import annotations

from typing import Annotated, Any

from flask_babel import lazy_gettext as _l
from msgspec import UNSET, Meta, UnsetType
from sqlalchemy.orm import Session

from host.api import reading
from host.api.http.call import Call
from host.api.http.declare import DEPRECATED, Id, Router, Wire
from host.api.http.errors import BodyError
from host.core import db
from host.inbox import saved_views
from host.inbox.api.conversations import ConversationQuery, filter_of
from host.inbox.errors import (
    TooManyViewsError,
    ViewNameError,
    ViewNotFoundError,
    ViewSearchError,
)
from host.inbox.queries import ConversationFilter
from host.models.saved_views import SavedView
from host.users.actor import UnitOfWork
from host.users.api_keys import Scope

routes = Router("Labels", read=Scope.CONVERSATIONS_READ, write=Scope.SETTINGS_WRITE)


class View(Wire, frozen=True):
    """A saved view that the workspace shares."""

    id: Id
    name: str
    condition: Annotated[
        dict[str, Any],
        Meta(
            description="As `filter`, with names such as `no_labels`; for a search, `search` with its text.",
            examples=[{"status": "open", "labels": [3]}, {"search": "label:orders glaze"}],
            extra_json_schema=DEPRECATED,
        ),
    ]
    filter: Annotated[
        dict[str, Any] | None,
        Meta(
            description="The parameters of the list of conversations that are set; null for a search.",
            examples=[{"status": "open", "noLabels": [3]}],
        ),
    ]
    search: Annotated[str | None, Meta(description="The text of a search; null for a filter.")]


class Views(Wire, frozen=True):
    """The shared views, in their order."""

    data: list[View]


class CreateView(Wire, frozen=True):
    """A view to save."""

    name: Annotated[str, Meta(max_length=300, examples=["Orders to answer"])]
    filter: Annotated[
        ConversationQuery | UnsetType,
        Meta(description="The parameters of the list of conversations; no `cursor`."),
    ] = UNSET
    search: (
        Annotated[str, Meta(max_length=2000, description="A search, instead of a filter.")] | UnsetType
    ) = UNSET


class UpdateView(Wire, frozen=True):
    """A change of a view; omitted fields stay unchanged."""

    name: Annotated[str, Meta(max_length=300)] | UnsetType = UNSET
    filter: ConversationQuery | UnsetType = UNSET
    search: Annotated[str, Meta(max_length=2000)] | UnsetType = UNSET


def _shows(body: CreateView | UpdateView) -> ConversationFilter | str | None:
    """Return the filter or the search text of a view; None if the body has neither.

    :raises BodyError: if it has both.
    """
    if body.filter is not UNSET and body.search is not UNSET:
        raise BodyError(
            _l("A view has `filter` or `search`, not both, so nothing was saved."), field="search"
        )
    if body.search is not UNSET:
        return body.search
    return None if body.filter is UNSET else filter_of(body.filter)


def _view(row: SavedView) -> View:
    condition = dict(row.condition)
    search = condition.get("search")
    filter_ = {reading.camel_case(name): value for name, value in condition.items()}
    return View(
        id=row.id,
        name=row.name,
        condition=condition,
        filter=None if search is not None else filter_,
        search=search,
    )


def _current(session: Session, call: Call, view_id: int) -> View:
    return _view(_locked(call.work(session), view_id))


def _locked(work: UnitOfWork, view_id: int) -> SavedView:
    return saved_views.get(work.session, work.workspace_id, view_id, None, lock=True)


@routes.get("/views", "List shared views", limited=True)
def list_views(call: Call) -> Views:
    """The shared views, in order. Members' private views are not included."""
    with db.read() as session:
        return Views(data=[_view(row) for row in saved_views.shared(session, call.workspace_id)])


@routes.post(
    "/views",
    "Save a shared view",
    location="/views/{id}",
    errors=(TooManyViewsError, ViewNameError, ViewSearchError),
    examples={
        "Open orders": {"name": "Orders to answer", "filter": {"status": "open", "labels": "3"}},
        "A search": {"name": "Glaze in orders", "search": "label:orders glaze"},
    },
    fields={ViewNameError: "name", ViewSearchError: "search"},
)
def create_view(call: Call, body: CreateView) -> View:
    """Adds a shared view after the others: a filter or a search."""
    shows = _shows(body)
    if shows is None:
        raise BodyError(_l("A view needs `filter` or `search`, so nothing was saved."), field="filter")

    return call.write(
        lambda work: _view(saved_views.create(work, owner_id=None, name=body.name, shows=shows))
    )


@routes.get("/views/{view_id}", "Get a shared view", limited=True, errors=(ViewNotFoundError,))
def get_view(call: Call, view_id: int) -> View:
    """Its name, and what it shows."""
    with db.read() as session:
        return _view(saved_views.get(session, call.workspace_id, view_id, None))


@routes.patch(
    "/views/{view_id}",
    "Change a shared view",
    current=_current,
    errors=(ViewNameError, ViewNotFoundError, ViewSearchError),
    examples={"Another name": {"name": "Orders"}},
    fields={ViewNameError: "name", ViewSearchError: "search"},
)
def change_view(call: Call, view_id: int, body: UpdateView) -> View:
    """Changes its name, or what it shows."""
    name = None if body.name is UNSET else body.name
    return call.write(
        lambda work: _view(saved_views.change(work, _locked(work, view_id), name=name, shows=_shows(body)))
    )


@routes.delete("/views/{view_id}", "Delete a shared view", current=_current, errors=(ViewNotFoundError,))
def delete_view(call: Call, view_id: int) -> None:
    """Deletes the view. Its conversations are not changed."""
    call.write(lambda work: saved_views.delete(work, _locked(work, view_id)))
