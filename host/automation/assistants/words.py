"""Why an assistant did what it did, or did nothing, in plain words."""

from __future__ import annotations

from collections.abc import Mapping

from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString

from host.automation import texts, words
from host.sdk.i18n import noop
from host.web import languages

AUTOMATIC = noop("This answer is automatic. Write “person” to reach one of us.")
PERSON = noop("Talk to a person")
WHICH = noop("Is it about one of these?")

REASONS: Mapping[str, LazyString] = {
    **words.REASONS,
    # What it makes of a question
    "asked_for_person": _l("They asked for a person"),
    "no_source": _l("Nothing it knows answers this"),
    "doubt": _l("It is not sure"),
    "address": _l("Its answer names an address that is in no source"),
    "loop": _l("It would have said the same again"),
    "too_long": _l("Its answer is longer than the channel allows"),
    "no_topics": _l("It asks no model, and no topic fits"),
    "tool_asks": _l("What it wants to do is for a person to allow"),
    # What came first
    "newer": _l("They wrote more meanwhile"),
    "answered": _l("Somebody answered meanwhile"),
    "stopped": _l("Somebody stopped the assistant"),
    "not_wanted": _l("Somebody wants no suggestion here"),
    "typing": _l("Somebody began to write"),
    "mode": _l("The assistant was turned off or put back here"),
    "not_asked": _l("It does not answer what they sent"),
    # Limits
    "limit_conversation": _l("It may say no more in this conversation"),
    "limit_day": _l("What may be used today is used"),
    "limit_month": _l("What may be used this month is used"),
    # The model
    "model_gone": _l("The model it asks is not set up any more"),
    "model_timeout": _l("The model did not answer in time"),
    "model_refused": _l("The model refused: its key, its name or what it was sent"),
    "model_busy": _l("The model takes no more at the moment"),
    "model_failed": _l("The model could not be reached, or failed"),
    "model_unreadable": _l("The model answered with something that cannot be read"),
    "model_forbidden": _l("The address of the model may not be reached from here"),
    "model_missing": _l("This desk was installed without what it takes to ask models"),
    # Knowledge
    "page_gone": _l("The page is not there any more"),
    "page_failed": _l("The page could not be read"),
    "page_forbidden": _l("The address may not be reached from here"),
    "page_empty": _l("There are no words in it"),
    "page_large": _l("It is too large"),
    "file_unreadable": _l("The file could not be read"),
}
"""By key."""


def said(reason: str | None) -> str:
    """Return *reason* in words; of one that only another release knows, the key itself."""
    return str(REASONS.get(reason or "", reason or ""))


def in_language(text: str, language: str | None) -> str:
    """Return one of the texts above as a customer reads it, in the workspace's language."""
    known = language if language is not None and language in languages.available() else "en"
    said_: str = texts.catalogue(known).ugettext(text)
    return said_
