"""Webhooks: turn a provider's requests into envelopes in the inbound log."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from sqlalchemy.orm import Session

MAX_BODY = 1024 * 1024
"""Maximum bytes of a request, unless a route sets less."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """One event, cut from a request.

    :param account_id: our id of the account, or None if it concerns no account.
    :param lane: the ordered queue, named by the customer's external id: envelopes of one account and lane are
        applied in order. :meth:`ChannelAdapter.parse` gets the queue's own name instead, so *body* has to
        contain whatever it needs of the customer.
    :param dedupe_key: the same for each delivery of the same event; hashed by the host.
    :param kind: a short word, for readers of the inbound log: ``message``, ``echo``, ``test``.
    :param occurred_at: the provider's time, if it gives one.
    :param body: the bytes that :meth:`ChannelAdapter.parse` gets, now or in a later replay.
    :param set_aside: if not empty, the event is kept with this reason and never applied, such as another
        account's message or unreadable JSON.
    :param ignored: if not empty, the event was understood but is not for the inbox; it is kept with this
        reason.
    :param channel: key of its channel, if not the route's: an attached account shares the address of the
        account it is attached to.
    :param any_age: whether to apply it at any age, such as unsending a message; others are only applied for
        90 days, as long as the host certainly recognises duplicates.
    """

    account_id: int | None
    lane: str
    dedupe_key: str
    kind: str
    body: bytes = field(repr=False)
    occurred_at: datetime | None = None
    set_aside: str = ""
    ignored: str = ""
    any_age: bool = False
    channel: str = ""


@dataclass(frozen=True, slots=True)
class WebhookRequest:
    """A request as received: raw bytes, nothing parsed.

    :param account: last path segment on the per-account address, else None.
    :param headers: names in lower case.
    :param query: first value of each parameter.
    """

    method: str
    account: str | None
    headers: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes = field(repr=False)
    remote: str = ""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The request is genuine: the host writes the envelopes to the inbound log, then answers 200 with *body*.

    :param keep_raw: whether to also store the raw request, for admins. False if it contains something that
        must not be stored.
    """

    envelopes: tuple[Envelope, ...]
    body: str = "EVENT_RECEIVED"
    keep_raw: bool = True


@dataclass(frozen=True, slots=True)
class Refused:
    """The request is refused: only a count is stored.

    :param reason: a short constant for the counter, such as ``signature``; not revealed to the caller.
    :param account_id: the account it was meant for, if known.
    :param hint: a clue to the mistake, at most 16 characters, such as the beginning of a wrong verify token;
        never enough to use it.
    """

    status: int
    reason: str
    account_id: int | None = None
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Verified:
    """The answer to a GET verification: *challenge*, verbatim, as text/plain.

    :param account_id: the account whose token was used, if it was an account's.
    """

    challenge: str
    account_id: int | None = None


@dataclass(frozen=True, slots=True)
class WebhookRoute:
    """A public address for a provider, at ``/addons/<slug>/<path>`` and ``/addons/<slug>/<path>/<account>``.

    The host also serves the second form as ``/webhooks/<slug>/<account>``.

    :param path: ``webhook``, by which a proxy recognises webhooks, and may route them to a second process.
    :param channel: key of the channel for envelopes that do not name one.
    :param authenticate: handles a POST: verifies the raw bytes, then cuts envelopes. No writes.
    :param verify: handles a GET, if the provider verifies the address this way.
    :param quick: whether *authenticate* only computes, for about a millisecond, with lookups in a
        :class:`host.sdk.db.Snapshot`. It is then called on the event loop, and again in a thread if a
        Snapshot must be loaded. Otherwise each request uses a thread.
    """

    path: str
    channel: str
    authenticate: Callable[[WebhookRequest], Accepted | Refused]
    verify: Callable[[WebhookRequest], Verified | Refused] | None = None
    max_body: int = MAX_BODY
    quick: bool = False


@dataclass(frozen=True, slots=True)
class Receiver:
    """A listener in the serving process, for providers that do not send HTTP requests.

    :param start: called once per generation with a function that logs the envelopes of a raw delivery and
        returns once they are durable, or raises; returns a function that stops listening.
    """

    name: str
    channel: str
    start: Callable[[Ingest], Callable[[], None]]


class Ingest(Protocol):
    """The function with which a receiver stores envelopes."""

    def __call__(
        self, raw: bytes, envelopes: tuple[Envelope, ...], also: Callable[[Session], None] | None = None
    ) -> None:
        """Write *envelopes* of one delivery to the inbound log; return once they are durable, or raise.

        :param raw: the raw delivery, for admins to look at.
        :param also: the addon's own SQL for the same transaction, such as its position in a mailbox: either
            both are committed or neither is. It may be rerun after a deadlock.
        """
