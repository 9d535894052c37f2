"""Sentences about a campaign's outcome for a person, and the reason."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from flask_babel import lazy_gettext as _l
from flask_babel import ngettext
from flask_babel.speaklater import LazyString

from host.automation import words
from host.inbox.comments.private import LedTo
from host.inbox.comments.private_reply import PrivateReplyEndedError, PrivateReplyUsedError
from host.inbox.errors import (
    AccountDisconnectedError,
    ContactUnreachableError,
    OptedOutError,
    PeopleOnlyError,
    TooLongError,
    UnknownChannelError,
    WindowClosedError,
)
from host.inbox.pages import durations
from host.models.inbox import ARRIVED, DeliveryState
from host.rules.campaigns import USED
from host.rules.people import Got, Person
from host.web.languages import gettext as _

GOT: Mapping[Got, LazyString] = {
    Got.GOT: _l("Sent"),
    Got.HAD: _l("Already sent"),
    Got.WAITS: _l("Waits"),
    Got.REFUSED: _l("Refused"),
}
LOOKS: Mapping[Got, tuple[str, str]] = {
    Got.GOT: ("check", "good"),
    Got.HAD: ("dash", "same"),
    Got.WAITS: ("clock", "warn"),
    Got.REFUSED: ("alert", "bad"),
}
"""Icon and tone of each outcome."""


def why(one: Person, led: LedTo | None, with_whom: str, now: datetime) -> str:
    """Return the reason for a person's outcome, or what happened next.

    :param led: the direct conversation; *with_whom*: its current assignee; None and empty: unknown.
    """
    said = {Got.GOT: _got, Got.HAD: _had, Got.WAITS: _waits, Got.REFUSED: _refused}[one.got]
    sentence = said(one, now)
    if one.got in {Got.GOT, Got.HAD}:
        sentence = f"{sentence} {_then(one, led, with_whom)}".strip()
    elif one.private_id is not None and one.reason:
        alone = _("The public answer wasn't sent.")
        sentence = f"{sentence} {alone}"
    if one.messages > 1 and one.got in {Got.GOT, Got.WAITS}:
        many = ngettext("%(num)s comment, one reply.", "%(num)s comments, one reply.", one.messages)
        sentence = f"{sentence} {many}"
    return sentence


def _got(one: Person, now: datetime) -> str:
    if one.number and one.public_state in ARRIVED:
        return _("Public answer %(number)s and the private reply.", number=one.number)
    if one.number and one.public_state:
        return _("The private reply; public answer %(number)s was not sent.", number=one.number)
    if one.reason:
        return _("The private reply, and no public answer. %(why)s", why=_reason(one.reason))
    return _("The private reply.")


def _then(one: Person, led: LedTo | None, with_whom: str) -> str:
    if one.answered_at is not None or (led is not None and led.answered):
        if with_whom:
            return _("Answered, assigned to %(name)s.", name=with_whom)
        return _("Answered.")
    if one.state == DeliveryState.READ or (led is not None and led.state == DeliveryState.READ):
        return _("Read.")
    return _("Sent.")


def _had(one: Person, now: datetime) -> str:
    if one.reason == USED:
        return _("Someone had already replied to this comment privately.")
    if one.sent_at is None:
        return _("Already sent for an earlier comment.")
    return _("Already sent for an earlier comment: %(when)s.", when=durations.moment(one.sent_at, now))


def _waits(one: Person, now: datetime) -> str:
    if one.state == DeliveryState.UNKNOWN:
        if one.reason:
            return _("Lobby doesn't know whether it was sent.")
        return _("Lobby doesn't know yet whether it was sent.")
    sentence = _said(one.waiting)
    if not sentence:
        return _("Sending soon.")
    until = _moment(one.waiting.get("until"))
    if until is None or until <= now:
        return sentence
    return _("%(why)s It will be sent %(when)s.", why=sentence, when=durations.moment(until, now))


def _said(told: Mapping[str, Any]) -> str:
    """Return the sentence of an error or a wait in the reader's language, or an empty string."""
    sentence = told.get("sentence")
    return str(_(sentence)) if sentence else ""


def _moment(text: object) -> datetime | None:
    try:
        return datetime.fromisoformat(str(text)) if text else None
    except ValueError:
        return None


def _refused(one: Person, now: datetime) -> str:
    if one.private_id is not None:
        sentence = _said(one.error) or _("It was not sent.")
        if one.public_state in ARRIVED:
            return _("%(why)s The public answer was sent.", why=sentence)
        return sentence
    return _reason(one.reason)


_REFUSALS: Mapping[str, LazyString] = {
    one.code: one.default_sentence
    for one in (
        AccountDisconnectedError,
        ContactUnreachableError,
        OptedOutError,
        PeopleOnlyError,
        PrivateReplyEndedError,
        PrivateReplyUsedError,
        TooLongError,
        UnknownChannelError,
        WindowClosedError,
    )
}
"""Sentences of the inbox's refusals to send, by the code stored in a run."""


def _reason(reason: str) -> str:
    """Return a reason as a sentence; for one of another release, a generic sentence that it was not sent."""
    if reason in words.REASONS:
        return f"{words.said(reason)}."
    return str(_REFUSALS.get(reason) or _("It was not sent."))
