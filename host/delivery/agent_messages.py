"""Sentences for agents about replies that wait or failed. English msgids; templates translate them."""

from __future__ import annotations

from host.core.backports.values import replace
from host.core.logs import redact
from host.inbox.messages import ACCOUNT_LIMIT, RECONNECT_FIRST
from host.sdk.channel import ProviderProblem
from host.sdk.errors import FetchError, ForbiddenAddressError, ProviderError

__all__ = ["ACCOUNT_LIMIT", "RECONNECT_FIRST"]


def _n(msgid: str) -> str:
    """Mark *msgid* for the catalogue of translations; it is translated where it is shown."""
    return msgid


CHANNEL_INACTIVE = _n("The addon for this channel is not active. The reply will be sent once it is.")
WAITS_TO_RETRY = _n("Sending failed. Lobby will retry automatically.")
LOOKED_FOR = _n("Lobby is checking whether it arrived. You don’t need to do anything yet.")
PROVIDER_AWAY = _n(
    "The provider is not accepting replies right now. Yours will be sent once the provider is back."
)
BEHIND = _n("Waiting for the previous reply, so that both arrive in order.")
FILES_AWAY = _n("The attached file is unavailable right now. The reply will be sent once the file is back.")
POLICY_BROKEN = _n("The addon could not check whether a reply is allowed. Lobby will try again.")

DISCONNECTED = ProviderProblem(
    code="account_disconnected",
    sentence=_n("The account was disconnected before this was sent."),
    next_step=_n("An owner can reconnect it under Settings, Channels. Then press Retry."),
)
WINDOW_CLOSED = ProviderProblem(
    code="window_closed",
    sentence=_n("The reply window closed before this was sent."),
    next_step=_n("It opens again when the customer writes."),
)
WINDOW_CLOSED_WHILE_HELD = ProviderProblem(
    code="window_closed",
    sentence=_n("The reply window closed while this account could not send, so this was not sent."),
    next_step=_n("It opens again when the customer writes."),
)
PEOPLE_ONLY = ProviderProblem(
    code="people_only",
    sentence=_n("Only a person can still reply here, so this automatic message was not sent."),
    next_step=_n("Write the reply yourself."),
)
PERSON_ANSWERS = ProviderProblem(
    code="handled_by_person",
    sentence=_n("A person is handling this conversation, so this automatic message was not sent."),
)
ANSWERED_ELSEWHERE = ProviderProblem(
    code="answered_elsewhere",
    sentence=_n("Another program answers this customer, so this automatic message was not sent."),
)
OPTED_OUT = ProviderProblem(
    code="opted_out",
    sentence=_n("They opted out of automated messages, so this one was not sent."),
)
MARKETING_STOPPED = ProviderProblem(
    code="opted_out",
    sentence=_n("This person stopped marketing messages of yours, so this template wasn't sent."),
    next_step=_n("Choose a template that isn't marketing, or wait until they allow it again."),
)
FILE_GONE = ProviderProblem(
    code="file_gone",
    sentence=_n("A file of this message no longer exists, so the message was not sent."),
    next_step=_n("Add the file to a new reply."),
)
FORWARDED_GONE = ProviderProblem(
    code="forwarded_gone",
    sentence=_n("The message to forward no longer exists, so nothing was sent."),
)
GAVE_UP = ProviderProblem(
    code="gave_up",
    sentence=_n("Sending failed for three days."),
    next_step=_n("Check the account under Settings, Channels. Then press Retry."),
)
INTERRUPTED = ProviderProblem(
    code="interrupted",
    sentence=_n("Lobby was interrupted while sending this, so it may or may not have arrived."),
    next_step=_n("Lobby is checking automatically. Wait a moment."),
)
NOT_REACHED = ProviderProblem(
    code="not_reached",
    sentence=_n("The provider could not be reached, so nothing was sent. Lobby will retry."),
)
ADAPTER_RAISED = ProviderProblem(
    code="addon_error",
    sentence=_n("The addon failed while sending this, so it may or may not have arrived."),
    next_step=_n("Lobby is checking automatically. Wait a moment."),
)
UNCONFIRMED = ProviderProblem(
    code="unconfirmed",
    sentence=_n("The provider did not confirm this, so it may or may not have arrived."),
    next_step=_n("Lobby is checking automatically. Wait a moment."),
)
RESULT_UNUSABLE = ProviderProblem(
    code="result_unusable",
    sentence=_n("The provider’s answer could not be stored, so it is unknown whether this arrived."),
    next_step=_n("Lobby is checking automatically. Wait a moment."),
)
NOT_FOUND = ProviderProblem(
    code="not_found",
    sentence=_n("The provider did not confirm it, and it is missing from the conversation there."),
    next_step=_n("Check the conversation in the provider's own app, or press Send again."),
)
CANNOT_TELL = ProviderProblem(
    code="cannot_tell",
    sentence=_n("The provider did not confirm it, and Lobby could not check."),
    next_step=_n(
        "Check the conversation in the provider's own app. Press Check to look again, or Send again."
    ),
)

HISTORY_INACTIVE = _n("The addon of this channel is not active. Catching up resumes once it is.")
HISTORY_RECONNECT = _n("Reconnect the account. Catching up then resumes automatically.")
HISTORY_GONE = _n("The account was disconnected.")
HISTORY_RAISED = _n("The addon of this channel failed while reading earlier messages.")
LOOK_RAISED = _n("The addon of this channel failed while looking for undelivered messages.")
MISSED = _n("Some customer messages were not delivered to Lobby. Lobby found them and added them.")
MISSED_STEP = _n("The account’s Catch up page lists them. Run Diagnose to check the delivery setup.")


def raised(error: Exception) -> ProviderProblem:
    """Return the problem of a message whose adapter raised *error*: its own fault, or the provider's."""
    if isinstance(error, ForbiddenAddressError) or not isinstance(error, ProviderError | FetchError):
        return ADAPTER_RAISED
    return replace(UNCONFIRMED, raw=redact(str(error))[:500])
