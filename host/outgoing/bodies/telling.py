"""Read the record for endpoints: make the bodies of what happens and the deliveries of each, in one write."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime

import msgspec
from sqlalchemy.orm import Session

from host.core import clock, db
from host.core.ports import AdapterDirectory
from host.models.outgoing import Endpoint
from host.outgoing import endpoints, policy, waiting
from host.outgoing.bodies import shapes
from host.outgoing.bodies.building import Told, build
from host.outgoing.endpoints import hears
from host.outgoing.waiting import Body, New
from host.record import reading
from host.record.reading import Recorded


class Webhooks:
    """The reader of the record that tells endpoints.

    :param directory: returns the channels of the running generation.
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
        """Put in what endpoints are told of *events*."""
        tell(session, events, endpoints.active(session), self._directory(), self._base())


def tell(
    session: Session,
    events: Iterable[Recorded],
    targets: Sequence[Endpoint],
    directory: AdapterDirectory,
    base: str,
) -> Sequence[New]:
    """Put in what each of *targets* is told of *events*, and return it."""
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
    waiting.put(session, new)
    return new


def chosen(endpoint: Endpoint, bodies: Sequence[Told]) -> Sequence[Told]:
    """Return which bodies of one event *endpoint* gets."""
    only = bodies[0].only
    if only is not None:
        return [one for one in bodies if not one.later] if endpoint.id == only else ()
    account_id = bodies[0].body.account_id
    if endpoint.accounts and account_id is not None and account_id not in endpoint.accounts:
        return ()
    if endpoint.labels and bodies[0].labels is not None and bodies[0].labels.isdisjoint(endpoint.labels):
        return ()
    return heard(endpoint.events, bodies, both_names=endpoint.both_names)


def heard(patterns: Collection[str], bodies: Sequence[Told], *, both_names: bool) -> Sequence[Told]:
    """Return which bodies of one event somebody gets who hears of *patterns*.

    The host's own is left out where a channel's says the same, unless *both_names*. So is what one endpoint
    alone is told.
    """
    found = [one for one in bodies if one.only is None and hears(patterns, one.body.name)]
    replaced = not both_names and any(one.replaces for one in found)
    return [one for one in found if not one.later and not (replaced and one.is_hosts)]


TEST = "endpoint.test"
MOST_REPLAYED = 10_000
"""About how many events one replay puts in: it runs while somebody waits for it."""


def send_test(session: Session, endpoint: Endpoint) -> str:
    """Put a test in for *endpoint*, whatever it hears of; return the body's id."""
    id_ = f"evt_{secrets.token_urlsafe(15)}"
    data = shapes.Test(id=id_, text="It works.", timestamp=shapes.timestamp(clock.now()))
    text = msgspec.json.encode({"event": TEST, "data": data}).decode()
    body = Body(id=id_, workspace_id=endpoint.workspace_id, event_id=0, name=TEST, body=text)
    # Not in the lane of anything: a test is not to wait.
    waiting.put(session, [New(endpoint.id, False, body)])
    return id_


def replay_since(
    workspace_id: int, endpoint_id: int, since: datetime, directory: AdapterDirectory, base: str
) -> tuple[int, datetime | None]:
    """Send an endpoint everything it hears of since then, what it missed and what it had.

    Within a conversation in the order it happened. To be called outside any transaction.

    :return: how many deliveries that makes, and where to go on from where there is more than that.
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
    had = waiting.of_bodies(session, endpoint_id, [one.body.id for one in new])
    return waiting.again(session, endpoint_id, had)
