"""Why something was said or done by itself, or was not, in plain words."""

from __future__ import annotations

from collections.abc import Mapping

from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString

from host.inbox.conversation_actions import GIVEN_BECAUSE

OF_RULES: Mapping[str, LazyString] = {
    "condition": _l("A condition did not hold"),
    "once": _l("It acted already, and acts once"),
    "too_often": _l("Rules did enough in this conversation within an hour"),
    "answered": _l("Somebody answered in time"),
    "never_wrote": _l("They never wrote"),
    "endpoint_gone": _l("The address of the other program is gone"),
    "other_channel": _l("The addon does that on another channel"),
    "nothing_to_do": _l("There was nothing to do it to"),
    "not_public": _l("This channel has no such answers"),
    "private_only": _l("Comments on this post take no public reply"),
    "no_private": _l("The private reply was not sent, so it was not announced"),
    "private_awaited": _l("It waits for the private reply to be sent"),
    "private_unknown": _l("It is not known whether the private reply was sent, so it was not announced"),
    "private_late": _l("The private reply waited for over an hour, so it was not announced"),
    "ended": _l("The campaign had ended"),
    "changed": _l("They changed it before it was answered"),
}
"""What rules alone give as a reason."""
REASONS: Mapping[str, LazyString] = {
    **GIVEN_BECAUSE,
    **OF_RULES,
    "off": _l("It is turned off"),
    # Hours
    "open": _l("Somebody is there"),
    "closed": _l("Nobody is there until then"),
    "closed_for_good": _l("The hours name no time from now on"),
    # Nothing at all
    "person": _l("A person is answering, and has the word"),
    "automation": _l("A program answers here"),
    "late": _l("It came too late for an answer by itself"),
    "restored": _l("The desk was restored from a backup, so this is left to people"),
    "budget": _l("Enough went out by itself since they wrote last"),
    "archived": _l("The workspace is archived"),
    "account_stopped": _l("The account has to be connected again first"),
    "addon_off": _l("The addon of this channel is not active"),
    "addon_failed": _l("The addon failed, or planned what cannot be done"),
    "spam": _l("It is spam"),
    "opted_out": _l("They want nothing that is sent by itself, or are blocked"),
    "from_machine": _l("A program wrote it by itself"),
    "automatic_limit": _l("Their address got several by itself within minutes; a program may be answering"),
    "imported": _l("It is from the provider’s history"),
    "taken_back": _l("They took their message back"),
    "closed_by_team": _l("Somebody closed the conversation meanwhile"),
    "window_closed": _l("The reply window is closed"),
    "people_only": _l("Only a person may still reply"),
    "unfilled": _l("Something in the text could not be filled in"),
    # The away message
    "open_now": _l("Somebody is there"),
    "kind": _l("What they sent asks for no answer"),
    "told": _l("They were told of this absence already"),
    "tells": _l("Nobody is there"),
    # The greeting
    "known": _l("They are known, and were not silent long enough"),
    "greeted": _l("They were greeted already"),
    "in_talk": _l("Somebody of the team wrote to them meanwhile"),
    "away_instead": _l("The away message goes out instead"),
    "greets": _l("They are new, or were silent for long"),
    # Routing
    "assigned": _l("Somebody has it already"),
    "no_team": _l("The team it went to is gone"),
    "error": _l("The desk failed several times"),
}
"""By key. Keys of the inbox's errors stand for themselves: such a run says which rule refused it."""


def said(reason: str | None) -> str:
    """Return *reason* in words; of one that only another release knows, the key itself."""
    return str(REASONS.get(reason or "", reason or ""))
