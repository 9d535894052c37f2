"""Translate texts for people, and format dates in their language.

Outside of a request (jobs, commands) it uses English and UTC.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import BinaryIO
from zoneinfo import ZoneInfo

import flask_babel
from babel import Locale, UnknownLocaleError, dates
from babel.support import NullTranslations, Translations
from flask import has_app_context
from flask_babel import gettext, lazy_gettext, lazy_pgettext, ngettext, npgettext, pgettext

__all__ = [
    "extract_toml",
    "format_date",
    "format_datetime",
    "format_moment",
    "format_timedelta",
    "gettext",
    "lazy_gettext",
    "lazy_pgettext",
    "ngettext",
    "noop",
    "npgettext",
    "pgettext",
    "translate",
]

CATALOGUES = Path(__file__).parents[1] / "translations"
_addons: tuple[Path, ...] = ()


def extract_toml(
    file: BinaryIO, _keywords: object, _comments: object, options: Mapping[str, str]
) -> Iterator[tuple[int, None, str, list[str]]]:
    """Extract texts from a TOML file for ``pybabel extract``; ``texts`` in babel.cfg names the keys.

    With ``below``, only tables below one of these are read, such as the forms of an ``addon.toml``; ``top``
    names keys outside of all tables.
    Yields line, function, text and comments of each, as Babel expects.
    """
    top = {name.strip() for name in options.get("top", "").split(",")}
    wanted = {name.strip() for name in options.get("texts", "").split(",")}
    below = {name.strip() for name in options.get("below", "").split(",")} - {""}
    raw = file.read().decode("utf-8")
    lines = {line.strip(): number for number, line in reversed(list(enumerate(raw.splitlines(), 1)))}
    for path, text in _texts(tomllib.loads(raw)):
        name = path[-1]
        is_wanted = name in wanted and (not below or below & set(path[:-1]))
        if text and (is_wanted or (name in top and len(path) == 2)):
            yield lines.get(f"{name} = {json.dumps(text, ensure_ascii=False)}", 1), None, text, []


def _texts(value: object, path: tuple[str, ...] = ("",)) -> Iterator[tuple[tuple[str, ...], str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _texts(inner, (*path, key))
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner, path)


def noop(text: str) -> str:
    """Mark *text* for translation and return it unchanged; it is translated when shown."""
    return text


def format_date(at: datetime) -> str:
    """Return the day of *at*, an aware time, in the reader's language and time zone."""
    if has_app_context():
        return str(flask_babel.format_date(at))
    return dates.format_date(at.astimezone(UTC), locale="en")


def format_datetime(at: datetime) -> str:
    """Return *at*, an aware time, in the reader's language and time zone."""
    if has_app_context():
        locale = flask_babel.get_locale() or Locale("en")
        return day_and_time(flask_babel.format_date(at), flask_babel.format_datetime(at, "HH:mm"), locale)
    there, locale = at.astimezone(UTC), Locale("en")
    return day_and_time(dates.format_date(there.date(), locale=locale), f"{there:%H:%M}", locale)


def day_and_time(day: str, time: str, locale: Locale) -> str:
    """Return a day and a time of day as one text. Pages write the time with 24 hours in every language."""
    return str(locale.datetime_formats["medium"]).replace("{1}", day).replace("{0}", time)


def format_timedelta(length: timedelta, *, add_direction: bool = False) -> str:
    """Return *length* rounded to a suitable unit; with *add_direction* as ``2 minutes ago``."""
    if has_app_context():
        return str(flask_babel.format_timedelta(length, add_direction=add_direction))
    return dates.format_timedelta(length, add_direction=add_direction, locale="en")


def translate(language: str, text: str, **values: str) -> str:
    """Return a text of Lobby or an addon in *language* with *values* filled in; in English if untranslated.

    For texts sent to customers, whose language is not that of a page. *text* must be marked by :func:`noop`.
    """
    said: str = catalogue(language).gettext(text)
    return said % values if values else said


def format_moment(at: datetime, language: str, timezone: str) -> str:
    """Return date and time of *at*, an aware time, in *language* and *timezone*, an IANA name.

    Uses English or UTC if unknown.
    """
    try:
        locale = Locale.parse(language)
    except (UnknownLocaleError, ValueError, TypeError):
        locale = Locale("en")
    try:
        there = at.astimezone(ZoneInfo(timezone))
    except (KeyError, ValueError, OSError):
        there = at.astimezone(UTC)
    day = dates.format_date(there.date(), "medium", locale)
    time = dates.format_time(there.timetz(), "short", locale=locale)
    return f"{day}, {time}".replace("\u202f", " ")


@cache
def catalogue(language: str) -> NullTranslations:
    """Return the translations of Lobby and its addons in *language*, independent of a request."""
    found = Translations.load(str(CATALOGUES), [language])
    for folder in _addons:
        found.add_fallback(Translations.load(str(folder), [language]))
    return found


def use_catalogues(folders: Iterable[Path]) -> None:
    """Add addons' translations in *folders* to :func:`catalogue`, in this process.

    :param folders: like :data:`CATALOGUES`, with readable files. Lobby's translation of a text takes
        precedence.
    """
    global _addons  # noqa: PLW0603 - the addons of the process
    _addons = tuple(folders)
    catalogue.cache_clear()
