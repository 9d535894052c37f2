"""Routes for contact attributes."""

from __future__ import annotations

from typing import Annotated, Literal, cast

from msgspec import UNSET, Meta, UnsetType
from sqlalchemy.orm import Session

from host.api.http.call import Call
from host.api.http.declare import Id, Router, Wire
from host.api.http.fields import given
from host.core import db
from host.inbox.contacts import attributes
from host.inbox.contacts.models import AttributeKind, ContactAttribute
from host.inbox.errors import AttributeNameError, AttributeNotFoundError
from host.users.api_keys import Scope

routes = Router("Contacts", read=Scope.CONTACTS_READ, write=Scope.SETTINGS_WRITE)

Kind = Annotated[
    Literal["text", "number", "date", "yes_no", "choice"],
    Meta(description="The type of its values. It can't be changed."),
]
Name = Annotated[
    str, Meta(max_length=300, description="A unique name of at most 40 characters.", examples=["Glaze"])
]
Choices = Annotated[
    list[Annotated[str, Meta(max_length=300)]],
    Meta(max_length=200, description="The options of a choice.", examples=[["Sage", "Tide blue"]]),
]


class Attribute(Wire, frozen=True):
    """An attribute of the workspace's contacts."""

    id: Id
    name: str
    kind: Kind
    choices: Annotated[list[str] | None, Meta(description="Null: not a choice.")]


class Attributes(Wire, frozen=True):
    """The attributes of the workspace, in the order they were created."""

    data: list[Attribute]


class CreateAttribute(Wire, frozen=True):
    """An attribute to create."""

    name: Name
    kind: Kind = "text"
    choices: Choices = []  # noqa: RUF012 - msgspec copies it


class UpdateAttribute(Wire, frozen=True):
    """Fields to change; omitted fields keep their values."""

    name: Name | UnsetType = UNSET
    choices: Choices | UnsetType = UNSET


def _shown(row: ContactAttribute) -> Attribute:
    choices = None if row.choices is None else list(row.choices)
    return Attribute(id=row.id, name=row.name, kind=cast(Kind, str(row.kind)), choices=choices)


def _current(session: Session, call: Call, attribute_id: int) -> Attribute:
    return _shown(attributes.get(session, call.workspace_id, attribute_id, lock=True))


@routes.get("/contact-attributes", "List contact attributes", limited=True)
def list_contact_attributes(call: Call) -> Attributes:
    """All of them, in the order they were created."""
    with db.read() as session:
        return Attributes(data=[_shown(row) for row in attributes.all_of(session, call.workspace_id)])


@routes.post(
    "/contact-attributes",
    "Add a contact attribute",
    location="/contact-attributes/{id}",
    errors=(AttributeNameError,),
    examples={"A choice": {"name": "Glaze", "kind": "choice", "choices": ["Sage", "Tide blue"]}},
    fields={AttributeNameError: "name"},
)
def create_contact_attribute(call: Call, body: CreateAttribute) -> Attribute:
    """Names are unique, ignoring case. A workspace has 50 at most."""
    kind = AttributeKind(body.kind)
    return call.write(
        lambda work: _shown(attributes.create(work, name=body.name, kind=kind, choices=body.choices))
    )


@routes.get(
    "/contact-attributes/{attribute_id}",
    "Get a contact attribute",
    limited=True,
    errors=(AttributeNotFoundError,),
)
def get_contact_attribute(call: Call, attribute_id: int) -> Attribute:
    """Its name, type and choices."""
    with db.read() as session:
        return _shown(attributes.get(session, call.workspace_id, attribute_id))


@routes.patch(
    "/contact-attributes/{attribute_id}",
    "Change a contact attribute",
    current=_current,
    errors=(AttributeNameError, AttributeNotFoundError),
    examples={"Another name": {"name": "Colour of the glaze"}},
    fields={AttributeNameError: "name"},
)
def change_contact_attribute(call: Call, attribute_id: int, body: UpdateAttribute) -> Attribute:
    """Contacts keep values that are no longer among the choices."""
    return call.write(lambda work: _shown(attributes.change(work, attribute_id, **given(body))))


@routes.delete(
    "/contact-attributes/{attribute_id}",
    "Delete a contact attribute",
    current=_current,
    errors=(AttributeNotFoundError,),
)
def delete_contact_attribute(call: Call, attribute_id: int) -> None:
    """Deletes the contacts' values too."""
    call.write(lambda work: attributes.delete(work, attribute_id))
