"""How a provider's requests become journalled envelopes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from sqlalchemy.orm import Session

MAX_BODY = 1024 * 1024
"""Most bytes of one request, unless a route says less."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """One event, cut from a request.

    :param account_id: ours, or None where no account is meant.
    :param lane: the customer's external id: envelopes of one account and lane are applied in order.
    :param dedupe_key: equal for each delivery of the same event; hashed by the host.
    :param kind: short and for people who read the journal: ``message``, ``echo``, ``test``.
    :param occurred_at: the provider's time, where it tells one.
    :param body: the bytes :meth:`ChannelAdapter.parse` will get, now or when replayed next week.
    :param set_aside: if not empty, the event is kept with this reason and never applied: another account's
        message, unreadable JSON.
    :param ignored: if not empty, the event is kept with this reason as understood and not for the inbox.
    :param channel: key of the channel it belongs to, where that is another than the route's: an account that
        stands beside another is reached by the same address.
    :param any_age: it is applied however old it is, as one that takes something back; others only as long as
        the host recognises what comes again, which is 90 days.
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
    """A request as it came: raw bytes, nothing parsed.

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
    """The request is genuine: write these envelopes to the journal, then answer 200 with *body*.

    :param keep_raw: whether the raw request is kept as well, for admins to look at; False where it holds
        something that must not be stored: then only the envelopes are.
    """

    envelopes: tuple[Envelope, ...]
    body: str = "EVENT_RECEIVED"
    keep_raw: bool = True


@dataclass(frozen=True, slots=True)
class Refused:
    """The request is not accepted: only a count is stored.

    :param reason: a short constant for the counter (``signature``, ``verify_token``); not told to the caller.
    :param account_id: the account it was meant for, where that is known.
    :param hint: helps to find the mistake, 16 characters at most, such as the beginning of a wrong verify
        token; never enough to use it.
    """

    status: int
    reason: str
    account_id: int | None = None
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Verified:
    """The answer to a GET verification: *challenge*, verbatim, as text/plain.

    :param account_id: whose token it was asked with, where it was one account's.
    """

    challenge: str
    account_id: int | None = None


@dataclass(frozen=True, slots=True)
class WebhookRoute:
    """A public address for a provider, at ``/addons/<slug>/<path>`` and ``/addons/<slug>/<path>/<account>``.

    The host also serves the second form as ``/webhooks/<slug>/<account>``.

    :param path: ``webhook``: a proxy knows webhooks by it, and may send one to a second process.
    :param channel: key of the channel the envelopes belong to that name none.
    :param authenticate: decide on a POST: verify over the raw bytes, then cut envelopes. No writes.
    :param verify: decide on a GET, where the provider checks the address that way.
    :param quick: *authenticate* promises to compute only, in about a millisecond: what it looks up comes from
        a :class:`host.sdk.db.Snapshot`. It is then called on the event loop, where it costs no thread, and
        again in a thread if a Snapshot has to be read. Without the promise each request takes a thread.
    """

    path: str
    channel: str
    authenticate: Callable[[WebhookRequest], Accepted | Refused]
    verify: Callable[[WebhookRequest], Verified | Refused] | None = None
    max_body: int = MAX_BODY
    quick: bool = False


@dataclass(frozen=True, slots=True)
class Receiver:
    """Something that listens by itself, in the serving process, instead of waiting for HTTP requests.

    :param start: called once per generation with a function that journals envelopes of one raw delivery and
        returns when they are durable (or raises); returns a function that stops listening.
    """

    name: str
    channel: str
    start: Callable[[Ingest], Callable[[], None]]


class Ingest(Protocol):
    """What a receiver journals by."""

    def __call__(
        self, raw: bytes, envelopes: tuple[Envelope, ...], also: Callable[[Session], None] | None = None
    ) -> None:
        """Journal *envelopes* of one delivery; return once they are durable, or raise.

        :param raw: the delivery as it came, for admins to look at.
        :param also: SQL of the addon's own for the same transaction, such as the place in a mailbox to go on
            from: either both are committed or neither is. It may be run again after a deadlock.
        """
