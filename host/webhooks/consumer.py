"""The event log consumer for endpoints: builds bodies and deliveries, in one write."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime

import msgspec
from sqlalchemy.orm import Session

from host.core import clock, db
from host.core.ports import AdapterDirectory
from host.events import reading
from host.events.bodies.building import Body, OutgoingBody, build
from host.events.bodies.choosing import heard
from host.events.consuming import ConsumerContext
from host.events.kinds import shapes
from host.events.reading import Recorded
from host.users.actor import UnitOfWork
from host.webhooks import endpoints, log, policy, queue
from host.webhooks.models import Endpoint
from host.webhooks.queue import New


def consumer(context: ConsumerContext) -> Webhooks:
    """Return the consumer that creates deliveries."""
    return Webhooks(lambda: context.generation().directory, lambda: context.config().public_url)


class Webhooks:
    """The event log consumer that creates deliveries.

    :param directory: returns the channels of the running revision.
    :param base: returns the public address of the desk.
    """

    name = "webhooks"
    from_beginning = False
    batch = 200
    shown = False

    def __init__(self, directory: Callable[[], AdapterDirectory], base: Callable[[], str]) -> None:
        self._directory = directory
        self._base = base

    def consume(self, session: Session, events: Sequence[Recorded]) -> None:
        """Queue the deliveries of *events*."""
        tell(session, events, endpoints.active(session), self._directory(), self._base())


def tell(
    session: Session,
    events: Iterable[Recorded],
    targets: Sequence[Endpoint],
    directory: AdapterDirectory,
    base: str,
) -> Sequence[New]:
    """Queue the deliveries of *events* for each of *targets*, and return them."""
    by_workspace: dict[int, list[Endpoint]] = {}
    for endpoint in targets:
        by_workspace.setdefault(endpoint.workspace_id, []).append(endpoint)
    concerned = [one for one in events if one.workspace_id in by_workspace]
    if not concerned:
        return ()
    new = [
        New(endpoint.id, endpoint.ordered, told.body)
        for event, bodies in build(session, concerned, directory, base, lock=True)
        for endpoint in by_workspace[event.workspace_id]
        for told in chosen(endpoint, bodies)
    ]
    queue.put(session, new)
    return new


def chosen(endpoint: Endpoint, bodies: Sequence[OutgoingBody]) -> Sequence[OutgoingBody]:
    """Return the bodies of one event that *endpoint* gets."""
    only = bodies[0].only
    if only is not None:
        return [one for one in bodies if not one.later] if endpoint.id == only else ()
    account_id = bodies[0].body.account_id
    if endpoint.accounts and account_id is not None and account_id not in endpoint.accounts:
        return ()
    if endpoint.labels and bodies[0].labels is not None and bodies[0].labels.isdisjoint(endpoint.labels):
        return ()
    return heard(endpoint.events, bodies, both_names=endpoint.both_names)


TEST = "endpoint.test"
MOST_REPLAYED = 10_000
"""Approximate maximum number of events in one replay, for which a person waits."""


def send_test(work: UnitOfWork, endpoint_id: int) -> int:
    """Queue a test for an endpoint, regardless of its subscriptions; return the delivery's id.

    :raises EndpointNotFoundError: if the workspace has no such endpoint.
    """
    endpoint = endpoints.get(work.session, work.workspace_id, endpoint_id)
    id_ = f"evt_{secrets.token_urlsafe(15)}"
    data = shapes.Test(id=id_, text="It works.", timestamp=shapes.timestamp(work.now))
    text = msgspec.json.encode({"event": TEST, "data": data}).decode()
    body = Body(id=id_, workspace_id=endpoint.workspace_id, event_id=0, name=TEST, body=text)
    # Use a separate lane, so that the test does not wait.
    queue.put(work.session, [New(endpoint.id, False, body)])
    [delivery_id] = queue.of_bodies(work.session, endpoint.id, [id_])
    return delivery_id


def replay(work: UnitOfWork, endpoint_id: int, ids: Collection[int] | None = None) -> int:
    """Resend deliveries of an endpoint; return their number.

    :param ids: None: all that failed.
    :raises EndpointNotFoundError: if the workspace has no such endpoint.
    """
    endpoints.get(work.session, work.workspace_id, endpoint_id)
    chosen = log.failed(work.session, endpoint_id) if ids is None else ids
    return queue.again(work.session, endpoint_id, chosen)


def replay_since(
    workspace_id: int, endpoint_id: int, since: datetime, directory: AdapterDirectory, base: str
) -> tuple[int, datetime | None]:
    """Resend to an endpoint all its subscribed events since then, both missed and delivered ones.

    Order is kept within a conversation. Call it outside any transaction.

    :return: the number of deliveries, and where to continue if there are more.
    """
    with db.read() as session:
        endpoints.get(session, workspace_id, endpoint_id)
        position = reading.before(session, workspace_id, max(since, clock.now() - policy.KEPT))
    count = 0
    while True:
        with db.read() as session:
            batch = reading.after(session, position, Webhooks.batch, workspace_id=workspace_id)
        count += db.write(_tell_again, workspace_id, endpoint_id, batch.events, directory, base)
        position = batch.end
        if not batch.more:
            return count, None
        if count >= MOST_REPLAYED:
            return count, batch.events[-1].at


def _tell_again(
    session: Session,
    workspace_id: int,
    endpoint_id: int,
    events: Sequence[Recorded],
    directory: AdapterDirectory,
    base: str,
) -> int:
    endpoint = endpoints.get(session, workspace_id, endpoint_id)
    new = tell(session, events, [endpoint], directory, base)
    had = queue.of_bodies(session, endpoint_id, [one.body.id for one in new])
    return queue.again(session, endpoint_id, had)
