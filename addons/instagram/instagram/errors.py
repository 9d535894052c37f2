"""Catalogue of Meta's error codes and what they mean for Lobby, read from ``errors.toml``.

Codes and subcodes decide, a subcode before its code. If a code could be read, HTTP status and ``type`` are
ignored, because they differ for the same error between Pages and Instagram Login.
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
    """Consequence of an error while sending. The table is in docs/architecture.md."""

    WAIT = "wait"
    """Certainly not sent; try again."""
    RECONNECT = "reconnect"
    """The token may be invalid: a probe decides."""
    REJECTED = "rejected"
    """Not sent, and a retry would fail too."""
    UNKNOWN = "unknown"
    """May have been sent."""


class Scope(StrEnum):
    """Scope of an error, which determines what it blocks."""

    MESSAGE = "message"
    CONTACT = "contact"
    """This customer: if rejected, nothing can be sent to them until they write."""
    ACCOUNT = "account"
    APP = "app"
    """Every account connected through the same Meta app."""


class CatalogueEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One entry of the catalogue. With ``until``, it covers a range of codes.

    :param wait_seconds: how long to wait if the usage headers don't say; None: the host backs off. For a
        rejected message, how long nothing can be sent to the customer; None: until they write.
    """

    code: int
    outcome: Outcome
    sentence: str
    cause: str
    next_step: str = ""
    subcode: int | None = None
    until: int | None = None
    words: str = ""
    """Beginning of Meta's message, if the code alone means something else."""
    scope: Scope = Scope.MESSAGE
    wait_seconds: int | None = None
    transient: bool = False
    """Whether Meta has not accepted the message when it marks this error as transient."""
    restriction: bool = False
    """Whether Meta answers calls of a restricted app with this error."""
    inspects: bool = False
    """Whether it may concern the account rather than the message, so that Meta is asked what the account may
    do, see ``rights.py``."""
    closes: bool = False
    """Whether nothing can be sent to this customer until they write."""


class _Catalogue(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    error: tuple[CatalogueEntry, ...]


@functools.cache
def catalogue() -> tuple[CatalogueEntry, ...]:
    """Return every entry, in the order of the file."""
    return strictjson.convert(tomllib.loads(CATALOGUE.read_text(encoding="utf-8")), _Catalogue).error


@functools.cache
def _index() -> tuple[dict[tuple[int, int | None], CatalogueEntry], tuple[CatalogueEntry, ...]]:
    plain = [known for known in catalogue() if not known.words]
    exact = {(known.code, known.subcode): known for known in plain if known.until is None}
    return exact, tuple(known for known in plain if known.until is not None)


@functools.cache
def _worded() -> tuple[CatalogueEntry, ...]:
    return tuple(known for known in catalogue() if known.words)


UNREACHABLE = CatalogueEntry(
    code=0,
    outcome=Outcome.WAIT,
    sentence=noop("Instagram couldn't be reached."),
    cause=noop("The connection to Meta failed before anything was sent."),
    next_step=noop("No action needed. It will be sent as soon as Meta responds again."),
)
UNCONFIRMED = CatalogueEntry(
    code=0,
    outcome=Outcome.UNKNOWN,
    sentence=noop("Meta's response couldn't be read, so it isn't known whether the message arrived."),
    cause=noop(
        "The connection was lost or the response couldn't be read after the message was sent to Meta."
    ),
    next_step=noop(
        "Choose Check to look for it in the Instagram thread. Sending again may reach the customer twice."
    ),
)
TOO_MANY = CatalogueEntry(
    code=0,
    outcome=Outcome.WAIT,
    sentence=noop("This account has reached Instagram's request limit."),
    cause=noop("The request limit has been reached."),
    next_step=noop("No action needed. It will be sent once the limit allows it."),
    scope=Scope.ACCOUNT,
)
UNLISTED = CatalogueEntry(
    code=0,
    outcome=Outcome.REJECTED,
    sentence=noop("Instagram rejected this message."),
    cause=noop("Meta returned an unknown reason."),
    next_step=noop("Check the error, then try again."),
)


def lookup(code: int, subcode: int | None) -> CatalogueEntry | None:
    """Return the entry for a code: by its subcode, else its code, else its range.

    Meta also reports some subcodes as the code.
    """
    exact, ranges = _index()
    if subcode is not None:
        found = exact.get((code, subcode)) or exact.get((subcode, None))
        if found is not None:
            return found
    if (code, None) in exact:
        return exact[code, None]
    return next((known for known in ranges if known.code <= code <= (known.until or known.code)), None)


def classify(error: GraphError) -> CatalogueEntry:
    """Return the entry for *error* while sending a message."""
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


def _by_words(error: GraphError) -> CatalogueEntry | None:
    """Return the entry for Meta's message; a subcode is more precise than the text."""
    if error.subcode is not None:
        return None
    said = error.words.removeprefix(f"(#{error.code}) ").lower()
    return next(
        (one for one in _worded() if one.code == error.code and said.startswith(one.words.lower())), None
    )


def _accepted_maybe(error: GraphError) -> bool:
    """Return whether an unreadable response leaves it open whether the message was sent."""
    return error.status is None or error.status >= 500 or error.status < 400


def problem(known: CatalogueEntry, error: GraphError | None = None) -> ProviderProblem:
    """Return *known* as a problem for people, followed by Meta's message."""
    return ProviderProblem(
        code=error.key if error else "",
        sentence=known.sentence,
        next_step=known.next_step,
        raw=error.quote if error else "",
        cause=known.cause,
    )
