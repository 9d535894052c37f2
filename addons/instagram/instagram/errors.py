"""What Meta's error codes mean for us: one catalogue, read from ``errors.toml``.

Codes and subcodes decide, a subcode before its code; HTTP status and ``type`` never do where a code could be
read, because the two roads dress the same error differently.
"""

from __future__ import annotations

import functools
import tomllib
from enum import StrEnum
from pathlib import Path

import msgspec

from host.sdk import strictjson
from host.sdk.channel import ProviderProblem
from host.sdk.i18n import noop

from .graph import GraphError

CATALOGUE = Path(__file__).with_name("errors.toml")


class Outcome(StrEnum):
    """What follows from an error while sending. The table is in docs/architecture.md."""

    WAIT = "wait"
    """Certainly not sent; to be tried again."""
    RECONNECT = "reconnect"
    """The token may be dead: a probe decides."""
    REJECTED = "rejected"
    """Not sent, and would not be later."""
    UNKNOWN = "unknown"
    """May have been sent."""


class Scope(StrEnum):
    """What an error is about, and so whom it stops."""

    MESSAGE = "message"
    CONTACT = "contact"
    """This customer: where it is rejected, nothing can be sent to them until they write."""
    ACCOUNT = "account"
    APP = "app"
    """Every account connected through the same Meta app."""


class Known(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One entry of the catalogue. ``until`` makes it hold for a range of codes.

    :param wait_seconds: how long to wait where the usage headers say nothing; None: the host backs off. Of a
        rejected message, how long the customer stays closed to us; None: until they write.
    """

    code: int
    outcome: Outcome
    sentence: str
    cause: str
    next_step: str = ""
    subcode: int | None = None
    until: int | None = None
    words: str = ""
    """How Meta's message begins, where the code alone says something else."""
    scope: Scope = Scope.MESSAGE
    wait_seconds: int | None = None
    transient: bool = False
    """Whether Meta, where it marks this error as transient, has not taken the message."""
    restriction: bool = False
    """Whether Meta answers calls of an app it has restricted like this."""
    closes: bool = False
    """Whether nothing can be sent to this customer any more, until they write."""


class _Catalogue(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    error: tuple[Known, ...]


@functools.cache
def catalogue() -> tuple[Known, ...]:
    """Return every entry, in the order of the file."""
    return strictjson.convert(tomllib.loads(CATALOGUE.read_text(encoding="utf-8")), _Catalogue).error


@functools.cache
def _index() -> tuple[dict[tuple[int, int | None], Known], tuple[Known, ...]]:
    plain = [known for known in catalogue() if not known.words]
    exact = {(known.code, known.subcode): known for known in plain if known.until is None}
    return exact, tuple(known for known in plain if known.until is not None)


@functools.cache
def _worded() -> tuple[Known, ...]:
    return tuple(known for known in catalogue() if known.words)


UNREACHABLE = Known(
    code=0,
    outcome=Outcome.WAIT,
    sentence=noop("Instagram could not be reached."),
    cause=noop("The connection to Meta failed before anything was sent."),
    next_step=noop("Nothing to do: it is sent as soon as Meta answers again."),
)
UNCONFIRMED = Known(
    code=0,
    outcome=Outcome.UNKNOWN,
    sentence=noop("Meta gave no answer that can be read, so nobody knows whether the message arrived."),
    cause=noop("The connection ended, or the answer could not be read, after the message was handed over."),
    next_step=noop(
        "Check looks for it in the thread at Instagram. Sending again may reach the customer twice."
    ),
)
TOO_MANY = Known(
    code=0,
    outcome=Outcome.WAIT,
    sentence=noop("Instagram takes no more calls of this account for the moment."),
    cause=noop("The limit of calls is used up."),
    next_step=noop("Nothing to do: it is sent once the limit allows it."),
    scope=Scope.ACCOUNT,
)
UNLISTED = Known(
    code=0,
    outcome=Outcome.REJECTED,
    sentence=noop("Instagram did not accept this message."),
    cause=noop("Meta gave a reason that is not known here."),
    next_step=noop("Look at the error, then try again."),
)


def lookup(code: int, subcode: int | None) -> Known | None:
    """Return the entry for a code: by its subcode, else by the code, else by the family it belongs to.

    Meta also reports some subcodes in the place of the code.
    """
    exact, ranges = _index()
    if subcode is not None:
        found = exact.get((code, subcode)) or exact.get((subcode, None))
        if found is not None:
            return found
    if (code, None) in exact:
        return exact[code, None]
    return next((known for known in ranges if known.code <= code <= (known.until or known.code)), None)


def classify(error: GraphError) -> Known:
    """Return what *error* means for a message that was being sent."""
    if error.code is not None:
        known = _by_words(error) or lookup(error.code, error.subcode)
        if known is not None:
            return known
    if not error.sent:
        return UNREACHABLE
    if error.status == 429:
        return TOO_MANY
    if error.code is None:
        return UNCONFIRMED if _accepted_maybe(error) else UNLISTED
    return UNCONFIRMED if error.transient or (error.status or 500) >= 500 else UNLISTED


def _by_words(error: GraphError) -> Known | None:
    """Return the entry that Meta's message belongs to; a subcode says more than any message."""
    if error.subcode is not None:
        return None
    said = error.words.removeprefix(f"(#{error.code}) ").lower()
    return next(
        (one for one in _worded() if one.code == error.code and said.startswith(one.words.lower())), None
    )


def _accepted_maybe(error: GraphError) -> bool:
    """Tell whether an answer without a readable error leaves it open what became of the message."""
    return error.status is None or error.status >= 500 or error.status < 400


def problem(known: Known, error: GraphError | None = None) -> ProviderProblem:
    """Return *known* as agents get it, with Meta's own words behind it."""
    return ProviderProblem(
        code=error.key if error else "",
        sentence=known.sentence,
        next_step=known.next_step,
        raw=error.quote if error else "",
        cause=known.cause,
    )
