"""Greetings and away messages: texts with variables, checked when they are saved, filled when they go out.

Nobody is there to fill anything in. So each variable that may be empty has words to fall back on, and there
is none about whoever answers.
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
from host.sdk.text import byte_length
from host.web import languages

OPENS_AT = "hours.opens_at"
VARIABLES: Mapping[str, LazyString] = {
    **{name: label for name, label in variables.VARIABLES.items() if not name.startswith("agent.")},
    OPENS_AT: _l("when you are there again"),
}
"""What a text said by itself may hold, and what each stands for."""
ALWAYS_KNOWN = frozenset({"account.name", "workspace.name"})
MOST_LETTERS = 4000
"""Most letters of a text where the channel does not say how much one message holds."""

TODAY = noop("today at %(time)s")
TOMORROW = noop("tomorrow at %(time)s")
LATER = noop("on %(day)s at %(time)s")


class AutomationTextError(InvalidError):
    """A text cannot go out by itself."""

    code = "automation_text"
    title = _l("That text cannot go out by itself")
    default_sentence = _l("The text cannot go out by itself, so nothing was saved.")
    default_next_step = _l("Change the text.")


def checked(text: str, limit: int | None) -> str:
    """Return *text* as it is kept.

    :param limit: how many bytes a message of the channel holds; None: it does not say.
    :raises AutomationTextError: if it is empty or too long, or if a variable may be empty and has no words to
        fall back on.
    :raises VariableError: if something in double braces is no variable.
    """
    kept = clean_written(text)
    if not kept:
        raise AutomationTextError(
            _l("A text is missing, so nothing was saved."), next_step=_l("Write it, or turn it off.")
        )
    if len(kept) > MOST_LETTERS:
        raise AutomationTextError(
            _l("A text has %(count)s letters and may have 4,000, so nothing was saved.", count=len(kept)),
            limit=MOST_LETTERS,
        )
    if limit is not None and byte_length(kept) > limit:
        raise AutomationTextError(
            _l(
                "A text has %(count)s bytes and one message of this channel holds %(most)s.",
                count=byte_length(kept),
                most=limit,
            ),
            next_step=_l("Make it shorter."),
            limit=limit,
        )
    for piece in variables.parse(kept, VARIABLES):
        if isinstance(piece, variables.Field):
            raise AutomationTextError(
                _l("The text asks for something to be filled in, and nobody is there to do it."),
                next_step=_l("Take the field out."),
            )
        if (
            isinstance(piece, variables.Variable)
            and piece.fallback is None
            and not ALWAYS_KNOWN.intersection(piece.names)
        ):
            raise AutomationTextError(
                _l("What stands for “%(what)s” may be unknown.", what=VARIABLES[piece.names[0]]),
                next_step=_l(
                    'Add words for that case: {{%(name)s || "there"}}.', name=" || ".join(piece.names)
                ),
            )
    return kept


def parts(text: str, values: Mapping[str, str]) -> list[variables.Part]:
    """Return the pieces of a checked *text*, filled."""
    return variables.fill(variables.parse(text, VARIABLES), values, VARIABLES)


def filled(text: str, values: Mapping[str, str]) -> str | None:
    """Return a checked *text*, filled; None if something in it could not be."""
    made = parts(text, values)
    return None if any(one.state == "open" for one in made) else variables.text_of(made)


def said_time(at: datetime | None, now: datetime, zone: str | None, language: str | None) -> str:
    """Return when somebody is there again, in words, in the workspace's zone and language; None: empty."""
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


@cache
def catalogue(language: str) -> NullTranslations:
    """Return the catalogue of a language; no page has chosen one where nobody is there."""
    return Translations.load(str(languages.FOLDER), [language])
