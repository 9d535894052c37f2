"""Webhook endpoints, the log of deliveries to each, and replays."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated, Any, Literal, cast

import msgspec
from flask_babel import lazy_gettext as _l
from msgspec import UNSET, Meta, UnsetType
from sqlalchemy.orm import Session

from host.api.http import cursors, fields
from host.api.http.call import Call
from host.api.http.declare import DEPRECATED, Id, Router, Wire
from host.api.http.errors import BodyError, CursorError, QueryError
from host.api.shapes import Cursor
from host.core import db
from host.core.ids import MAX_ID
from host.core.secrets import Secret
from host.events.bodies import samples
from host.users.actor import UnitOfWork
from host.users.api_keys import Scope
from host.web.request_helpers import config
from host.webhooks import consumer, endpoints, log
from host.webhooks.endpoints import (
    MAX_URL,
    AddressError,
    EndpointNotFoundError,
    EndpointSettings,
    OtherAccountsError,
    OtherLabelsError,
    TooManyEndpointsError,
    UnknownEventError,
)
from host.webhooks.log import DeliveryFilter, DeliveryNotFoundError, LoggedDelivery
from host.webhooks.models import Endpoint as Row

routes = Router("Events", read=Scope.SETTINGS_READ, write=Scope.SETTINGS_WRITE)

LIST = "deliveries"
Url = Annotated[
    str,
    Meta(
        max_length=MAX_URL,
        description="An https URL on port 443.",
        examples=["https://crm.example.com/lobby"],
    ),
]
Events = Annotated[
    list[Annotated[str, Meta(max_length=64)]],
    Meta(
        max_length=100,
        description="Names of events; `message.*` matches all that begin with it, `*` all events.",
        examples=[["message.received", "conversation.*"]],
    ),
]
Accounts = Annotated[
    list[Id], Meta(max_length=1000, description="Only events of these accounts; empty: of all.")
]
LabelIds = Annotated[
    list[Id],
    Meta(
        max_length=100,
        description="Only conversations with one of these labels; empty: all.",
    ),
]
Both = Annotated[
    bool,
    Meta(
        description=(
            "Whether to also send the general event along with a channel-specific one, such as "
            "`message.received` with a channel's event for a tapped button."
        )
    ),
]
Ordered = Annotated[
    bool, Meta(description="Whether an event waits until earlier events of its conversation are delivered.")
]


class Endpoint(Wire, frozen=True):
    """An address that receives events."""

    id: Id
    url: str
    events: list[str]
    accounts: list[Id]
    labels: list[Id]
    both: Both
    ordered: Ordered
    state: Literal["active", "paused", "off"]
    reason: Annotated[
        Literal["gone", "failing"] | None,
        Meta(description="Why it is off: it returned 410, or every delivery failed for five days."),
    ]
    failing_since: Annotated[datetime | None, Meta(description="Null: the last delivery succeeded.")]
    old_secret_until: Annotated[
        datetime | None, Meta(description="Until when requests are also signed with the previous secret.")
    ]
    created_at: datetime


class Endpoints(Wire, frozen=True):
    """The endpoints of the workspace, in order of creation."""

    data: list[Endpoint]


class WithSecret(Wire, frozen=True):
    """An endpoint and its new secret, which is not shown again."""

    endpoint: Endpoint
    secret: Annotated[str, Meta(description="`whsec_…`, which signs every request.")]


class CreateEndpoint(Wire, frozen=True):
    """An endpoint to create."""

    url: Url
    events: Events
    accounts: Accounts = msgspec.field(default_factory=list)
    labels: LabelIds = msgspec.field(default_factory=list)
    both: Both = False
    ordered: Ordered = True


class UpdateEndpoint(Wire, frozen=True):
    """Fields to change; omitted fields keep their value."""

    url: Url | UnsetType = UNSET
    events: Events | UnsetType = UNSET
    accounts: Accounts | UnsetType = UNSET
    labels: LabelIds | UnsetType = UNSET
    both: Both | UnsetType = UNSET
    ordered: Ordered | UnsetType = UNSET
    state: Annotated[
        Literal["active", "paused"] | UnsetType,
        Meta(description="`paused`: nothing is sent, and events in the meantime are not kept."),
    ] = UNSET


class Try(Wire, frozen=True):
    """One delivery attempt."""

    at: datetime
    status: Annotated[int | None, Meta(description="Null: no response.")]
    milliseconds: int


class Delivery(Wire, frozen=True):
    """One event for one endpoint."""

    id: Id
    event_id: Annotated[str, Meta(description="The header `webhook-id`, the same in every attempt.")]
    event: str
    state: Literal["waiting", "delivered", "given_up"]
    attempts: Annotated[int, Meta(description="Attempts since it was last queued, at most eight.")]
    next_at: Annotated[datetime | None, Meta(description="When it is retried.")]
    status: int | None
    words: Annotated[str, Meta(description="The beginning of the last response, or why there was none.")]
    tries: Annotated[list[Try], Meta(description="The latest attempts, oldest first.")]
    erased: Annotated[bool, Meta(description="Whether its message was unsent or erased.")]
    created_at: datetime


class Deliveries(Wire, frozen=True):
    """A page of the log, newest first."""

    data: list[Delivery]
    before: Annotated[int | None, Meta(description="Use `next`.", extra_json_schema=DEPRECATED)]
    next: Annotated[
        Cursor | None, Meta(description="Cursor of the next page; null: this is the last page.")
    ] = None


class DeliveryWithBody(Wire, frozen=True):
    """A delivery and its body."""

    delivery: Delivery
    body: Annotated[dict[str, Any], Meta(description="`{event, data}`, as it would be sent now.")]


class LogQuery(Wire, frozen=True):
    """Filters of the delivery log."""

    state: Annotated[
        Literal["all", "failed", "waiting", "delivered"],
        Meta(description="`failed`: given up, or waiting for a retry."),
    ] = "all"
    before: Annotated[
        Annotated[int, Meta(ge=1, le=MAX_ID)] | None,
        Meta(description="Use `cursor`.", extra_json_schema=DEPRECATED),
    ] = None
    limit: Annotated[int, Meta(ge=1, le=100, description="The maximum number of results.")] = 50
    cursor: Annotated[str | None, Meta(description="`next` of the previous page.")] = None


class Replay(Wire, frozen=True):
    """The deliveries to send again: exactly one of these fields."""

    deliveries: Annotated[
        Annotated[list[Id], Meta(min_length=1, max_length=1000)] | UnsetType, Meta(description="These.")
    ] = UNSET
    failed: Annotated[Literal[True] | UnsetType, Meta(description="All failed deliveries.")] = UNSET
    since: Annotated[
        Annotated[datetime, Meta(tz=True)] | UnsetType,
        Meta(
            description="All its events since then, at most 30 days ago, including those already delivered.",
        ),
    ] = UNSET


class Replayed(Wire, frozen=True):
    """The number of deliveries sent again."""

    count: int
    next: Annotated[
        datetime | None, Meta(description="If there is more, repeat the request with this as `since`.")
    ] = None


class ReplayError(BodyError):
    """The request names none or several of the three options."""

    code = "invalid_replay"
    default_sentence = _l("Give exactly one of deliveries, failed or since.")


NOT_USABLE = (BodyError, AddressError, UnknownEventError, OtherAccountsError, OtherLabelsError)


def shown(row: Row) -> Endpoint:
    """Return an endpoint as the API shows it."""
    return Endpoint.of(row, labels=row.labels or [], both=row.both_names, old_secret_until=row.old_until)


def _current(session: Session, call: Call, endpoint_id: int) -> Endpoint:
    return shown(endpoints.locked(session, call.workspace_id, endpoint_id))


def known_events(call: Call) -> set[str]:
    """Return the names of all current events."""
    return {kind.name for kind in samples.everything(call.directory.adapters)}


def _with_secret(row: Row, secret: Secret) -> WithSecret:
    return WithSecret(endpoint=shown(row), secret=secret.reveal())


@routes.get("/endpoints", "List endpoints")
def list_endpoints(call: Call) -> Endpoints:
    """Every address that receives events of the workspace."""
    with db.read() as session:
        return Endpoints(data=[shown(row) for row in endpoints.listing(session, call.workspace_id)])


@routes.post(
    "/endpoints",
    "Add an endpoint",
    secret=True,
    location="/endpoints/{endpoint.id}",
    errors=(*NOT_USABLE, TooManyEndpointsError),
    examples={
        "Messages and conversations": {
            "url": "https://crm.example.com/lobby",
            "events": ["message.received", "conversation.*"],
        }
    },
    fields={
        AddressError: "url",
        OtherAccountsError: "accounts",
        OtherLabelsError: "labels",
        UnknownEventError: "events",
    },
)
def create_endpoint(call: Call, body: CreateEndpoint) -> WithSecret:
    """Each event is posted to it, signed according to Standard Webhooks. The secret is only shown in this
    response.
    """
    wanted = EndpointSettings(body.url, body.events, body.accounts, body.both, body.ordered, body.labels)
    return call.write(lambda work: _with_secret(*endpoints.create(work, wanted, known_events(call))))


@routes.get("/endpoints/{endpoint_id}", "Get an endpoint", errors=(EndpointNotFoundError,))
def get_endpoint(call: Call, endpoint_id: int) -> Endpoint:
    """Includes its state, and since when it has been failing."""
    with db.read() as session:
        return shown(endpoints.get(session, call.workspace_id, endpoint_id))


@routes.patch(
    "/endpoints/{endpoint_id}",
    "Change, pause or resume an endpoint",
    current=_current,
    errors=(*NOT_USABLE, EndpointNotFoundError),
    examples={"Pause it": {"state": "paused"}, "Resume it": {"state": "active"}},
    fields={
        AddressError: "url",
        OtherAccountsError: "accounts",
        OtherLabelsError: "labels",
        UnknownEventError: "events",
    },
)
def change_endpoint(call: Call, endpoint_id: int, body: UpdateEndpoint) -> Endpoint:
    """Pending deliveries go to the new address. After a resume, deliveries that were pending come first."""
    return call.write(lambda work: shown(_changed(work, endpoint_id, fields.given(body), known_events(call))))


def _changed(work: UnitOfWork, endpoint_id: int, given: dict[str, Any], known: set[str]) -> Row:
    if "both" in given:
        given["both_names"] = given.pop("both")
    state = given.pop("state", None)
    if state is not None:
        row = (endpoints.resume if state == "active" else endpoints.pause)(work, endpoint_id)
        if not given:
            return row
    return endpoints.change(work, endpoint_id, given, known)


@routes.delete(
    "/endpoints/{endpoint_id}",
    "Delete an endpoint",
    current=_current,
    status=204,
    errors=(EndpointNotFoundError,),
)
def delete_endpoint(call: Call, endpoint_id: int) -> None:
    """Pending deliveries are dropped, and its log is deleted."""
    call.write(lambda work: endpoints.delete(work, endpoint_id))


@routes.post(
    "/endpoints/{endpoint_id}/rotate",
    "Rotate the secret of an endpoint",
    secret=True,
    errors=(EndpointNotFoundError,),
)
def rotate_secret(call: Call, endpoint_id: int) -> WithSecret:
    """For a day, requests carry two signatures: one with the new secret and one with the old."""
    return call.write(lambda work: _with_secret(*endpoints.rotate(work, endpoint_id)))


@routes.post("/endpoints/{endpoint_id}/test", "Send a test", status=202, errors=(EndpointNotFoundError,))
def test_endpoint(call: Call, endpoint_id: int) -> Delivery:
    """Sends the event `endpoint.test`, whatever events the endpoint subscribes to. The result is in its
    log.
    """
    return call.write(
        lambda work: consumer.send_test(work, endpoint_id),
        lambda work, id_: delivery(log.one(work.session, endpoint_id, id_)[0]),
    )


def delivery(line: LoggedDelivery) -> Delivery:
    """Return a delivery as the API shows it."""
    return Delivery.of(
        line,
        event_id=line.body_id,
        event=line.name,
        state=cast(Any, line.state.value),
        words=line.words or "",
        tries=[Try(at=one.at, status=one.status, milliseconds=one.ms) for one in line.tries],
    )


@routes.get(
    "/endpoints/{endpoint_id}/deliveries", "List deliveries", errors=(CursorError, EndpointNotFoundError)
)
def list_deliveries(call: Call, endpoint_id: int, query: LogQuery) -> Deliveries:
    """Newest first; kept for thirty days."""
    name, before = call.list_name(LIST), query.before
    if query.cursor is not None:
        if before is not None:
            raise QueryError(_l("Send `cursor` or `before`, not both."), field="before")
        before = cursors.read_numbers(name, query.cursor, "cursor")[1]
    with db.read() as session:
        endpoints.get(session, call.workspace_id, endpoint_id)
        lines, before = log.page(
            session, endpoint_id, DeliveryFilter(query.state), before=before, limit=query.limit
        )
    following = None if before is None else cursors.write_numbers(name, endpoint_id, before, 0)
    return Deliveries(data=[delivery(line) for line in lines], before=before, next=following)


@routes.get(
    "/endpoints/{endpoint_id}/deliveries/{delivery_id}",
    "Get a delivery",
    also=(Scope.MESSAGES_READ,),
    errors=(EndpointNotFoundError, DeliveryNotFoundError),
)
def get_delivery(call: Call, endpoint_id: int, delivery_id: int) -> DeliveryWithBody:
    """Includes its body."""
    with db.read() as session:
        endpoints.get(session, call.workspace_id, endpoint_id)
        line, body = log.one(session, endpoint_id, delivery_id)
    return DeliveryWithBody(delivery=delivery(line), body=json.loads(body))


@routes.post(
    "/endpoints/{endpoint_id}/replay",
    "Replay deliveries",
    status=202,
    errors=(ReplayError, EndpointNotFoundError),
    examples={
        "Failed deliveries": {"failed": True},
        "Everything since a time": {"since": "2026-01-15T10:30:00Z"},
        "These": {"deliveries": [42]},
    },
)
def replay_deliveries(call: Call, endpoint_id: int, body: Replay) -> Replayed:
    """Deliveries keep their ids. Content deleted or erased since then is left out."""
    if sum(one is not UNSET for one in (body.deliveries, body.failed, body.since)) != 1:
        raise ReplayError()
    if body.since is not UNSET:
        count, following = consumer.replay_since(
            call.workspace_id, endpoint_id, body.since, call.directory, config().public_url
        )
        return Replayed(count=count, next=following)
    ids = None if body.deliveries is UNSET else body.deliveries
    return call.write(lambda work: Replayed(count=consumer.replay(work, endpoint_id, ids)))
