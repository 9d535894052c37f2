"""Sentences for agents about replies that wait or failed. English msgids; templates translate them."""

from __future__ import annotations

from host.inbox.messages import ACCOUNT_LIMIT, RECONNECT_FIRST
from host.sdk.channel import ProviderProblem

__all__ = ["ACCOUNT_LIMIT", "RECONNECT_FIRST"]


def _n(msgid: str) -> str:
    """Mark *msgid* for the catalogue of translations; it is translated where it is shown."""
    return msgid


CHANNEL_INACTIVE = _n("The addon for this channel is not active. The reply goes out once it is.")
WAITS_TO_RETRY = _n("It could not be sent yet and is tried again.")
LOOKED_FOR = _n("The desk is looking whether it arrived. You need not do anything yet.")
PROVIDER_AWAY = _n("The provider takes no replies at the moment. It goes out once the provider is back.")
BEHIND = _n("It waits for the reply before it, so that both arrive in order.")
FILES_AWAY = _n("Its file cannot be reached at the moment. The reply goes out once it can.")
POLICY_BROKEN = _n("The addon could not tell whether a reply is allowed. It is asked again.")

DISCONNECTED = ProviderProblem(
    code="account_disconnected",
    sentence=_n("The account was disconnected before this was sent."),
    next_step=_n("An owner can connect it again under Settings, Channels. Then press Retry."),
)
WINDOW_CLOSED = ProviderProblem(
    code="window_closed",
    sentence=_n("The reply window closed while this waited to be sent."),
    next_step=_n("It opens again when the customer writes."),
)
WINDOW_CLOSED_WHILE_HELD = ProviderProblem(
    code="window_closed",
    sentence=_n(
        "The reply window closed while nothing could be sent from this account, so this was not sent."
    ),
    next_step=_n("It opens again when the customer writes."),
)
PEOPLE_ONLY = ProviderProblem(
    code="people_only",
    sentence=_n("Only a person may still reply here, so this automatic message was not sent."),
    next_step=_n("Write the reply yourself."),
)
PERSON_ANSWERS = ProviderProblem(
    code="handled_by_person",
    sentence=_n("A person handles this conversation, so this automatic message was not sent."),
)
OPTED_OUT = ProviderProblem(
    code="opted_out",
    sentence=_n("They want nothing that is sent by itself, so this automatic message was not sent."),
)
FILE_GONE = ProviderProblem(
    code="file_gone",
    sentence=_n("A file of this message is not here any more, so it was not sent."),
    next_step=_n("Add the file to a new reply."),
)
FORWARDED_GONE = ProviderProblem(
    code="forwarded_gone",
    sentence=_n("What was to be forwarded is not here any more, so nothing was sent."),
)
GAVE_UP = ProviderProblem(
    code="gave_up",
    sentence=_n("It was tried for three days and could not be sent."),
    next_step=_n("Check the account under Settings, Channels. Then press Retry."),
)
INTERRUPTED = ProviderProblem(
    code="interrupted",
    sentence=_n("The desk was interrupted while it sent this, so nobody knows whether it arrived."),
    next_step=_n("The desk looks for it by itself. Wait a moment."),
)
NOT_REACHED = ProviderProblem(
    code="not_reached",
    sentence=_n("The provider could not be reached, so nothing was sent. It is tried again."),
)
ADAPTER_RAISED = ProviderProblem(
    code="addon_error",
    sentence=_n("The addon failed while it sent this, so nobody knows whether it arrived."),
    next_step=_n("The desk looks for it by itself. Wait a moment."),
)
RESULT_UNUSABLE = ProviderProblem(
    code="result_unusable",
    sentence=_n(
        "The provider answered with something that cannot be stored, so nobody knows whether it arrived."
    ),
    next_step=_n("The desk looks for it by itself. Wait a moment."),
)
NOT_FOUND = ProviderProblem(
    code="not_found",
    sentence=_n("The provider did not confirm it, and it is not in the provider's conversation."),
    next_step=_n("Check the conversation in the provider's own app, or press Send again."),
)
CANNOT_TELL = ProviderProblem(
    code="cannot_tell",
    sentence=_n("The provider did not confirm it, and the desk could not look for it."),
    next_step=_n(
        "Check the conversation in the provider's own app. Press Check to look again, or Send again."
    ),
)

HISTORY_INACTIVE = _n("The addon of this channel is not active. Catching up goes on once it is.")
HISTORY_RECONNECT = _n(
    "The account has to be connected again first. Catching up goes on by itself after that."
)
HISTORY_GONE = _n("The account was disconnected.")
HISTORY_RAISED = _n("The addon of this channel failed while reading what was said before.")
LOOK_RAISED = _n("The addon of this channel failed while looking for messages that were not delivered.")
MISSED = _n("Customers wrote messages that were not delivered to Lobby. Lobby found them and put them in.")
MISSED_STEP = _n("Its Catch up page lists them. Run Diagnose to see whether deliveries are set up right.")
