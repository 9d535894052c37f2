"""Reasons why automation acted or did not, in plain words."""

from __future__ import annotations

from collections.abc import Mapping

from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString

from host.inbox.conversation_actions import GIVEN_BECAUSE

OF_RULES: Mapping[str, LazyString] = {
    "condition": _l("A condition didn't match"),
    "once": _l("The rule runs once and has already run"),
    "too_often": _l("The hourly limit for rules in this conversation was reached"),
    "answered": _l("Someone answered in time"),
    "undone": _l("The bulk action that caused it was undone"),
    "never_wrote": _l("The customer never wrote"),
    "endpoint_gone": _l("The webhook endpoint was deleted"),
    "sequence_gone": _l("The sequence was deleted"),
    "sequence_off": _l("The sequence is not live"),
    "sequence_closed": _l("Rules may not start this sequence, as its starts say"),
    "sequence_account": _l("The sequence doesn't run on this account"),
    "sequence_public": _l("Sequences don't run in public conversations"),
    "sequences_off": _l("Sequences are turned off on this Lobby server"),
    "webhooks_off": _l("Webhooks are turned off on this Lobby server"),
    "other_channel": _l("The addon doesn't support this action on this channel"),
    "nothing_to_do": _l("There was nothing to apply it to"),
    "not_public": _l("This channel doesn't support these replies"),
    "private_only": _l("Comments on this post can't be answered publicly"),
    "no_private": _l("The private reply wasn't sent, so the public answer wasn't either"),
    "private_awaited": _l("Waiting for the private reply to be sent"),
    "private_unknown": _l("The private reply may not have been sent, so the public answer wasn't sent"),
    "private_late": _l("The private reply waited for over an hour, so the public answer wasn't sent"),
    "ended": _l("The campaign had ended"),
    "changed": _l("The comment was edited before it was answered"),
}
"""Reasons that only rules give."""
REASONS: Mapping[str, LazyString] = {
    **GIVEN_BECAUSE,
    **OF_RULES,
    "off": _l("Turned off"),
    # Hours
    "open": _l("Within business hours"),
    "closed": _l("Closed until then"),
    "closed_for_good": _l("No upcoming business hours"),
    # No action
    "person": _l("A person is answering"),
    "automation": _l("Automation is answering here"),
    "late": _l("Too late for an automatic reply"),
    "restored": _l("This Lobby server was restored from a backup, so this is left to your team"),
    "budget": _l("The limit of automatic messages since the customer's last message was reached"),
    "archived": _l("The workspace is archived"),
    "account_stopped": _l("The account must be reconnected first"),
    "addon_off": _l("The addon of this channel is not active"),
    "addon_failed": _l("The addon failed or returned an invalid plan"),
    "spam": _l("The conversation is spam"),
    "answered_elsewhere": _l("Another program answers here"),
    "opted_out": _l("Opted out of automated messages, or blocked"),
    "from_machine": _l("The message is automatic"),
    "automatic_limit": _l(
        "Several automatic messages were sent to this address within minutes. It may "
        "be answering automatically"
    ),
    "imported": _l("The message is from the provider’s history"),
    "taken_back": _l("The customer unsent the message"),
    "closed_by_team": _l("Someone closed the conversation in the meantime"),
    "window_closed": _l("The reply window is closed"),
    "people_only": _l("Only a person can still reply"),
    "call_failed": _l("The program that a step asks gave no answer that fits"),
    "unfilled": _l("A field in the text couldn't be filled in"),
    # The away message
    "open_now": _l("Within business hours"),
    "kind": _l("This kind of message needs no answer"),
    "told": _l("Already received the away message for this absence"),
    "tells": _l("Outside business hours"),
    # The greeting
    "known": _l("Returning customer who wrote too recently"),
    "greeted": _l("Already greeted"),
    "in_sequence": _l("The contact is in a sequence already"),
    "no_question": _l("No sequence waits for this message"),
    "in_talk": _l("Someone on the team wrote to them in the meantime"),
    "away_instead": _l("The away message is sent instead"),
    "greets": _l("New customer, or hasn't written for a long time"),
    # Taps on ice breakers and menu items
    "tap": _l("Tapped an ice breaker or menu item with an answer"),
    "tap_answered": _l("The answer of the ice breaker or menu item is sent instead"),
    "no_answer": _l("The ice breaker or menu item has no answer"),
    "button_gone": _l("The ice breaker or menu item was changed or deleted"),
    # Routing
    "assigned": _l("Already assigned"),
    "no_team": _l("The team was deleted"),
    "error": _l("Lobby failed several times"),
}
"""Reasons by key. Runs refused by the inbox use the keys of its errors directly."""


def said(reason: str | None) -> str:
    """Return *reason* in words; for one of another release, the key itself."""
    return str(REASONS.get(reason or "", reason or ""))
