"""Greetings and away messages: texts with variables, validated when saved and filled when sent.

No person can fill in gaps, so each variable that may be empty needs a fallback, and variables about the agent
are not available.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from functools import cache

from babel import Locale
from babel.dates import format_datetime, format_time
from babel.support import NullTranslations, Translations
from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString

from host.core import clock
from host.core.cleaning import clean_written
from host.core.errors import InvalidError
from host.inbox import variables
from host.sdk.i18n import noop
from host.sdk.text import TextUnit, length, unit_of
from host.web import languages
from host.web.languages import gettext as _

OPENS_AT = "hours.opens_at"
NAME_AWAITED = "contact.name_awaited"
"""Not a variable of texts: set in values while the provider is asked for the customer's name."""
VARIABLES: Mapping[str, LazyString] = {
    **{name: label for name, label in variables.VARIABLES.items() if not name.startswith("agent.")},
    OPENS_AT: _l("when you're back"),
}
"""Variables allowed in automatic texts, with their labels."""
_NAMES = frozenset({"contact.name", "contact.first_name"})
ALWAYS_KNOWN = frozenset({"account.name", "workspace.name"})
MOST_LETTERS = 4000
"""Most characters of a text if the channel does not limit the length of a message."""

TODAY = noop("today at %(time)s")
TOMORROW = noop("tomorrow at %(time)s")
LATER = noop("on %(day)s at %(time)s")
PERSON = noop("Talk to a person")
"""Title of the button by which a customer asks for a person."""


class AutomationTextError(InvalidError):
    """The text cannot be sent automatically."""

    code = "automation_text"
    title = _l("This text can't be sent automatically")
    default_sentence = _l("This text can't be sent automatically, so nothing was saved.")
    default_next_step = _l("Change the text.")


class NameAwaitedError(Exception):
    """A text has the customer's name, for which the provider is being asked: it is sent a moment later."""


def too_long(count: int, limit: int) -> LazyString:
    """Return the sentence about a text whose length is more than *limit*."""
    if unit_of(limit) is TextUnit.BYTES:
        return _l(
            "A text has %(count)s bytes. A message on this channel can have at most %(most)s.",
            count=count,
            most=int(limit),
        )
    return _l(
        "A text has %(count)s characters. A message on this channel can have at most %(most)s.",
        count=count,
        most=int(limit),
    )


def checked(text: str, limit: int | None, known: Mapping[str, LazyString] = VARIABLES) -> str:
    """Return *text* validated.

    :param limit: of a message of the channel, in bytes or with its unit; None: unknown.
    :param known: the variables allowed in it, with their labels.
    :raises AutomationTextError: if it is empty or too long, or if a variable may be empty and has no
        fallback.
    :raises VariableError: if something in double braces is not a variable.
    """
    kept = clean_written(text)
    if not kept:
        raise AutomationTextError(
            _l("A text is missing, so nothing was saved."),
            next_step=_l("Enter the text, or turn the message off."),
        )
    if len(kept) > MOST_LETTERS:
        raise AutomationTextError(
            _l("A text has %(count)s characters. The limit is 4,000, so nothing was saved.", count=len(kept)),
            limit=MOST_LETTERS,
        )
    if limit is not None and (count := length(kept, unit_of(limit))) > limit:
        raise AutomationTextError(too_long(count, limit), next_step=_l("Make it shorter."), limit=int(limit))
    for piece in variables.parse(kept, known):
        if isinstance(piece, variables.Field):
            raise AutomationTextError(
                _l("The text contains a field that a person has to fill in."),
                next_step=_l("Remove the field."),
            )
        if (
            isinstance(piece, variables.Variable)
            and piece.fallback is None
            and not ALWAYS_KNOWN.intersection(piece.names)
        ):
            raise AutomationTextError(
                _l("“%(what)s” may be unknown.", what=known[piece.names[0]]),
                next_step=_l('Add a fallback: {{%(name)s || "there"}}.', name=" || ".join(piece.names)),
            )
    return kept


def offered() -> list[tuple[str, str]]:
    """Return the variables as written in a text, each with its meaning."""
    fallback = {OPENS_AT: _("soon"), "contact.first_name": _("there")}
    found = []
    for name, label in VARIABLES.items():
        words = "" if name in ALWAYS_KNOWN else f' || "{fallback.get(name, "…")}"'
        found.append((f"{{{{{name}{words}}}}}", str(label)))
    return found


def parts(
    text: str, values: Mapping[str, str], known: Mapping[str, LazyString] = VARIABLES
) -> list[variables.FilledPart]:
    """Return the pieces of a checked *text*, filled."""
    return variables.fill(variables.parse(text, known), values, known)


def filled(text: str, values: Mapping[str, str], known: Mapping[str, LazyString] = VARIABLES) -> str | None:
    """Return a checked *text*, filled; None if something in it could not be.

    :raises NameAwaitedError: if it has the customer's name, which may be known in a moment.
    """
    made = parts(text, values, known)
    if values.get(NAME_AWAITED) and any(
        isinstance(one, variables.Variable)
        and any(name in _NAMES and not values.get(name) for name in one.names)
        for one in variables.parse(text, known)
    ):
        raise NameAwaitedError
    return None if any(one.state == "open" for one in made) else variables.text_of(made)


def said_time(at: datetime | None, now: datetime, zone: str | None, language: str | None) -> str:
    """Return when working hours begin again, in the workspace's time zone and language; empty for None."""
    if at is None:
        return ""
    place: tzinfo = clock.zone(zone) if zone is not None and zone in clock.zones() else UTC
    locale = language if language in languages.available() else "en"
    there, today = at.astimezone(place), now.astimezone(place).date()
    days = (there.date() - today).days
    pattern = TODAY if days == 0 else TOMORROW if days == 1 else LATER
    form = languages.day_pattern("EEEE" if days < 7 else "EEEE, d MMMM", Locale.parse(locale))
    day = format_datetime(there, form, locale=locale)
    time = format_time(there, "short", locale=locale)
    said: str = catalogue(locale).ugettext(pattern) % {"day": day, "time": time}
    return said


def in_language(text: str, language: str | None) -> str:
    """Return a text marked with :func:`host.sdk.i18n.noop` in the language of a workspace, for a customer."""
    known = language if language is not None and language in languages.available() else "en"
    said: str = catalogue(known).ugettext(text)
    return said


@cache
def catalogue(language: str) -> NullTranslations:
    """Return the catalogue of a language, because outside of a page none is selected."""
    return Translations.load(str(languages.FOLDER), [language])
