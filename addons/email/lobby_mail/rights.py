"""Hold the replies of an account that its mail server doesn't let send, until a test mail is accepted.

Every reply would be refused for the same reason, so none of them fails. The server is asked once more, with a
mail of the account to itself, which is about nobody else: what it refuses there is about the account.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from host.sdk.accounts import AccountState, overview
from host.sdk.channel import AccountRef, Held, NotSent, ProviderProblem
from host.sdk.i18n import gettext as _
from host.sdk.i18n import noop
from host.sdk.pages import Job

from . import refusals, round_trip, smtp

_LATER = noop("The mail server isn't accepting the email right now.")


def held(account: AccountRef, error: smtp.StepRefusedError) -> Held | NotSent | None:
    """Return that an account's replies wait; None if a refusal is about one message."""
    if refusals.reason_of(error) is None:
        return None
    again = round_trip.try_now(account.id)
    if again is None:
        return None
    if not isinstance(again, smtp.RefusedError) or again.for_now:
        return NotSent(ProviderProblem(str(error.code), _LATER, raw=str(error)), whole_account=True)
    reason = refusals.reason_of(again)
    if reason is None:
        return None
    return Held(ProviderProblem(str(again.code), reason, raw=str(again)), alone=True)


def check(account: AccountRef, _values: Mapping[str, str]) -> str:
    """Send a test mail for a person who waits; replies leave once it is accepted.

    :raises ValueError: with why it was not.
    """
    error = round_trip.try_now(account.id)
    if error is None:
        return str(_("The mail server accepted a test email. Waiting replies are being sent."))
    words = str(error) if isinstance(error, smtp.RefusedError) else ""
    if not words:
        raise ValueError(_("The mail server didn't respond. Try again in a minute."))
    raise ValueError(_("The mail server still refuses: %(words)s", words=words))


def look_again() -> None:
    """Let the replies of accounts go that may send again."""
    for row in overview("email"):
        if row.state is AccountState.NEEDS_RECONNECT and row.state_reason in refusals.REASONS:
            round_trip.try_now(row.account.id)


JOB = Job("mail-rights", timedelta(minutes=10), look_again)
