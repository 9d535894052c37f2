"""The meaning of Meta's error codes, while sending and in reports about messages it had accepted.

https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from host.sdk.channel import Held, NotSent, ProviderProblem, Rejected, SendResult, Unknown
from host.sdk.i18n import noop

from .graph import GraphError


class Outcome(StrEnum):
    """Consequence of an error while sending."""

    WAIT = "wait"
    """Certainly not sent; this customer's messages are tried again."""
    PAY = "pay"
    """The same; the people responsible for the account are told, because only they can end it."""
    PAUSE = "pause"
    """Certainly not sent, and neither is anything else of this number for now."""
    HOLD = "hold"
    """Nothing is sent until the owner has fixed the account."""
    REJECT = "reject"
    CLOSE = "close"
    """Rejected, and so would be everything else until the customer writes."""
    UNKNOWN = "unknown"
    """The message may have been sent."""


class Entry(NamedTuple):
    """The meaning of a code.

    :ivar wait: seconds until it is tried again; None: the host decides.
    """

    outcome: Outcome
    sentence: str
    next_step: str = ""
    wait: float | None = None


_LATER = noop("No action needed. It will be sent as soon as WhatsApp allows it.")
_OWNER = noop("Ask the workspace owner to open the account's Settings. The message waits until then.")
_CHANGE = noop("Change the message and send it again.")
_TEMPLATE = noop("Choose another template, or ask who manages them in WhatsApp Manager.")
TOKEN = noop("Meta no longer accepts the token of this number.")
_PERMISSION = noop("The token of this number lacks a permission.")
_FILE = noop("WhatsApp doesn't accept this file.")
_UNAVAILABLE = noop("WhatsApp is not available right now.")
_BUSY = noop("This number is sending many messages at once.")
_UNKNOWN = noop("Meta reported an error, so it isn't known whether the message arrived.")
_BLOCKED = noop("Meta has restricted this WhatsApp Business Account.")
UNPAID = noop("Meta can't charge for messages of this WhatsApp Business Account.")
PAY = noop(
    "The workspace owner has to check the payment method in WhatsApp Manager. Waiting messages are then sent."
)
_PAID = noop("Once the workspace owner has fixed the payment method in WhatsApp Manager, send it again.")
_AGAIN = noop("Send it again later.")

STOPPED_MARKETING = 131050
FINAL = frozenset({131047, STOPPED_MARKETING})
"""Codes of messages that Meta would refuse again: a template, or another one, can be sent instead."""
PAYMENT = "payment"
"""The kind of the warning that Meta can't charge. People are notified once a day while it lasts."""

WINDOW = Entry(
    Outcome.CLOSE,
    noop(
        "More than 24 hours have passed since the customer's last message, so WhatsApp didn't deliver this."
    ),
    noop("Send a template, or reply once they write again."),
)
CATALOGUE: dict[int, Entry] = {
    0: Entry(Outcome.HOLD, TOKEN, _OWNER),
    1: Entry(Outcome.UNKNOWN, _UNKNOWN),
    # Meta answers this also after it took the message.
    2: Entry(Outcome.UNKNOWN, _UNKNOWN),
    3: Entry(Outcome.HOLD, _PERMISSION, _OWNER),
    4: Entry(Outcome.PAUSE, noop("This Meta app has made too many calls."), _LATER, 60),
    10: Entry(Outcome.HOLD, _PERMISSION, _OWNER),
    33: Entry(Outcome.HOLD, noop("This number no longer exists at Meta."), _OWNER),
    100: Entry(Outcome.REJECT, noop("WhatsApp didn't accept part of this message."), _CHANGE),
    190: Entry(Outcome.HOLD, TOKEN, _OWNER),
    368: Entry(
        Outcome.PAUSE, _BLOCKED, noop("The workspace owner sees the reason in WhatsApp Manager."), 600
    ),
    80007: Entry(Outcome.PAUSE, _BUSY, _LATER, 60),
    130429: Entry(Outcome.PAUSE, _BUSY, _LATER, 5),
    130472: Entry(
        Outcome.REJECT,
        noop("Meta didn't deliver this, because it tries something out with this customer's number."),
        noop("It arrives if you send it in reply to a message from the customer."),
    ),
    130497: Entry(
        Outcome.REJECT, noop("WhatsApp doesn't let this business write to customers in that country.")
    ),
    131000: Entry(Outcome.WAIT, noop("WhatsApp couldn't send this because of an unknown error."), _LATER),
    131005: Entry(Outcome.HOLD, _PERMISSION, _OWNER),
    131008: Entry(Outcome.REJECT, noop("Part of this message is missing."), _CHANGE),
    131009: Entry(Outcome.REJECT, noop("WhatsApp didn't accept part of this message."), _CHANGE),
    131016: Entry(Outcome.WAIT, _UNAVAILABLE, _LATER),
    131021: Entry(Outcome.CLOSE, noop("This is the account's own number.")),
    131026: Entry(
        Outcome.REJECT,
        noop("WhatsApp couldn't deliver this to the customer's number."),
        noop("They may have blocked you, use an old version of WhatsApp or not use it any more."),
    ),
    131030: Entry(
        Outcome.REJECT,
        noop("This is a test number, and the customer isn't on its list of recipients."),
        noop("Add their number in the Meta app under WhatsApp, API Setup."),
    ),
    131031: Entry(
        Outcome.PAUSE, _BLOCKED, noop("The workspace owner sees the reason in WhatsApp Manager."), 600
    ),
    131037: Entry(Outcome.HOLD, noop("Meta hasn't approved the display name of this number yet."), _OWNER),
    131042: Entry(Outcome.PAY, UNPAID, PAY, 600),
    131045: Entry(Outcome.HOLD, noop("This number isn't registered with WhatsApp completely."), _OWNER),
    131047: WINDOW,
    131048: Entry(
        Outcome.PAUSE,
        noop("WhatsApp limits this number, because customers blocked it or reported its messages."),
        noop("No action needed. The workspace owner sees the number's quality in WhatsApp Manager."),
        600,
    ),
    131049: Entry(
        Outcome.REJECT,
        noop("Meta didn't deliver this, because the customer got many marketing messages lately."),
        noop("Wait at least a day before you send it again, or reply once they write."),
    ),
    STOPPED_MARKETING: Entry(
        Outcome.REJECT, noop("The customer doesn't want marketing messages of this business.")
    ),
    131051: Entry(Outcome.REJECT, noop("WhatsApp doesn't support this kind of message."), _CHANGE),
    131052: Entry(Outcome.REJECT, _FILE, _CHANGE),
    131053: Entry(Outcome.REJECT, _FILE, _CHANGE),
    131056: Entry(
        Outcome.WAIT, noop("This customer got many messages in a short time. This one is queued."), _LATER, 6
    ),
    131057: Entry(Outcome.PAUSE, noop("This number is in maintenance at Meta."), _LATER, 60),
    131062: Entry(
        Outcome.REJECT,
        noop("WhatsApp sends this template only to people whose phone number it tells."),
        noop("Ask them for their number first."),
    ),
    132000: Entry(Outcome.REJECT, noop("The template needs other values."), _TEMPLATE),
    132001: Entry(Outcome.REJECT, noop("The template doesn't exist in this language."), _TEMPLATE),
    132005: Entry(Outcome.REJECT, noop("The template is too long with these values."), _CHANGE),
    132007: Entry(Outcome.REJECT, noop("The template violates a policy of WhatsApp."), _TEMPLATE),
    132012: Entry(Outcome.REJECT, noop("A value doesn't fit the template."), _CHANGE),
    132015: Entry(
        Outcome.REJECT, noop("Meta has paused this template, because customers disliked it."), _TEMPLATE
    ),
    132016: Entry(Outcome.REJECT, noop("Meta has disabled this template for good."), _TEMPLATE),
    132018: Entry(Outcome.REJECT, noop("A value doesn't fit the template."), _CHANGE),
    133004: Entry(Outcome.WAIT, _UNAVAILABLE, _LATER),
    133010: Entry(Outcome.HOLD, noop("This number isn't registered with WhatsApp."), _OWNER),
    135000: Entry(Outcome.REJECT, noop("WhatsApp didn't accept part of this message."), _CHANGE),
}
LIMITS = frozenset({17, 32, 341, 613, *range(80000, 80015)})
"""Limits of the Graph API (docs/graph-api/overview/rate-limiting), which hold the number for a while."""
REFUSED = Entry(Outcome.REJECT, noop("WhatsApp didn't accept this message."))
UNCLEAR = Entry(
    Outcome.UNKNOWN, noop("Meta's answer couldn't be read, so it isn't known whether the message arrived.")
)


def step_of(entry: Entry) -> str:
    """Return what to do about a message that Meta had accepted, and then reported as failed."""
    match entry.outcome:
        case Outcome.PAY:
            return _PAID
        case Outcome.WAIT | Outcome.PAUSE:
            return _AGAIN
    return entry.next_step


def meaning(code: int, status: int = 400) -> Entry:
    """Return what an error means.

    :param code: Meta's code; 0 without one, which is also the code of a missing token.
    :param status: the HTTP status of the answer; 400 for a report.
    """
    if code in LIMITS or (status == 429 and (not code or code not in CATALOGUE)):
        return CATALOGUE[80007]
    if not code and status != 401:
        return UNCLEAR if status >= 500 else REFUSED
    if 200 <= code <= 299:
        return CATALOGUE[10]
    return CATALOGUE.get(code) or (UNCLEAR if status >= 500 else REFUSED)


def problem_of(entry: Entry, code: int, raw: str) -> ProviderProblem:
    """Return an error as agents see it."""
    return ProviderProblem(str(code or ""), entry.sentence, entry.next_step, raw=raw, final=code in FINAL)


def result(error: GraphError) -> SendResult:
    """Return what a refused call to send means for the message."""
    entry = meaning(error.code, error.status)
    problem = problem_of(entry, error.code or error.status, str(error))
    match entry.outcome:
        case Outcome.WAIT | Outcome.PAY:
            return NotSent(problem, retry_after=entry.wait)
        case Outcome.PAUSE:
            return NotSent(problem, retry_after=entry.wait, whole_account=True)
        case Outcome.HOLD:
            return Held(problem)
        case Outcome.UNKNOWN:
            return Unknown(problem)
    return Rejected(
        problem,
        whole_contact=entry.outcome is Outcome.CLOSE,
        templates=entry is WINDOW,
        stopped_marketing=error.code == STOPPED_MARKETING,
    )
