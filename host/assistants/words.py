"""Reasons for what an assistant did or didn't do, in plain words."""

from __future__ import annotations

from collections.abc import Mapping

from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString

from host.automation import words
from host.sdk.i18n import noop

AUTOMATIC = noop("This answer is automatic. Write “person” to reach one of us.")
HANDOFF = noop("A colleague will reply here.")
BACK_AT = noop("We're back %(when)s.")
"""Added to the message at a handoff outside working hours."""
WHICH = noop("Is your question about one of these?")

REASONS: Mapping[str, LazyString] = {
    **words.REASONS,
    # Results of a question
    "asked_for_person": _l("The customer asked for a person"),
    "no_source": _l("No answer found in its knowledge"),
    "doubt": _l("Not confident enough"),
    "address": _l("The answer contains a link that isn't in any source"),
    "loop": _l("The answer would have repeated the last one"),
    "too_long": _l("The answer is longer than the channel allows"),
    "no_topics": _l("No model is set, and no topic matches"),
    "tool_asks": _l("The action needs a person's approval"),
    # Overtaken
    "newer": _l("The customer wrote again in the meantime"),
    "answered": _l("Someone answered in the meantime"),
    "stopped": _l("Someone stopped the assistant"),
    "not_wanted": _l("Someone dismissed suggestions here"),
    "typing": _l("Someone started writing"),
    "mode": _l("The assistant was turned off or its mode was lowered here"),
    "not_asked": _l("The assistant doesn't answer this kind of message"),
    # Limits
    "limit_conversation": _l("The limit for this conversation was reached"),
    "limit_day": _l("The daily limit was reached"),
    "limit_month": _l("The monthly limit was reached"),
    # The model
    "model_gone": _l("The assistant's model was deleted"),
    "model_timeout": _l("The model did not answer in time"),
    "model_refused": _l("The model rejected the API key, the model name or the request"),
    "model_busy": _l("The model is overloaded or rate-limited"),
    "model_failed": _l("The model couldn't be reached or failed"),
    "model_unreadable": _l("The model's response couldn't be read"),
    "model_forbidden": _l("Lobby isn't allowed to connect to the model's URL"),
    "model_missing": _l("The packages for language models aren't installed"),
    # Knowledge
    "page_gone": _l("The page no longer exists"),
    "page_failed": _l("The page could not be read"),
    "page_forbidden": _l("Lobby isn't allowed to connect to this URL"),
    "page_empty": _l("It contains no text"),
    "page_large": _l("It is too large"),
    "file_unreadable": _l("The file could not be read"),
}
"""Texts by key."""


def said(reason: str | None) -> str:
    """Return *reason* in words, or the key itself if only another release knows it."""
    return str(REASONS.get(reason or "", reason or ""))
