"""Choose the language and the time zone of a page."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any, cast
from zoneinfo import ZoneInfo, available_timezones

import msgspec
from babel import Locale, UnknownLocaleError
from babel.dates import format_date as format_day
from babel.support import NullTranslations
from flask import Flask, g, has_request_context, request
from flask_babel import Babel, format_date, format_number, get_locale, get_translations
from flask_babel.speaklater import LazyString
from markupsafe import Markup, escape

from host.core import clock
from host.core.config import Config
from host.sdk.i18n import day_and_time
from host.web.request_helpers import maybe_user, shown_workspace
from host.web.templating import TRANSLATORS

FOLDER = Path(__file__).parents[1] / "translations"
ZONE_COOKIE = "lobby-zone"


@cache
def available() -> tuple[str, ...]:
    """Return the languages with a compiled catalogue, English first, the language of the code."""
    found = {path.parent.parent.name for path in FOLDER.glob("*/LC_MESSAGES/*.mo")}
    return ("en", *sorted(found - {"en"}))


def choices() -> list[tuple[str, str]]:
    """Return code and native name of each language, for a select."""
    return [(code, (Locale.parse(code).get_display_name(code) or code).capitalize()) for code in available()]


def language_name(tag: str) -> str:
    """Return the name of a language in the language of the page; the tag itself if it is unknown.

    :param tag: BCP 47 tag, such as ``pt-BR``.
    """
    try:
        found = Locale.parse(tag.replace("-", "_")).get_display_name(get_locale() or "en")
    except (ValueError, UnknownLocaleError):
        return tag
    name = found or tag
    return name[:1].upper() + name[1:]


def install(app: Flask, config: Config, catalogues: Sequence[Path] = ()) -> None:
    """Render the pages of *app* in the reader's language.

    That is the language they chose, else that of the workspace they are in, else their browser's, else the
    desk's.

    :param catalogues: translation folders of addons. The host's own translation takes precedence.
    """
    default = config.language if config.language in available() else "en"

    def locale() -> str:
        if not has_request_context():
            return default
        user = maybe_user()
        if user is not None and user.locale in available():
            return user.locale
        workspace = None if user is None else shown_workspace()
        if workspace is not None and workspace.language in available():
            return workspace.language
        codes = [default, *(code for code in available() if code != default)]
        return request.accept_languages.best_match(codes, default) or default

    Babel(
        app,
        default_locale=default,
        default_translation_directories=";".join(map(str, [*catalogues, FOLDER])),
        locale_selector=locale,
        timezone_selector=lambda: _BabelZone(zone()),
    )
    app.jinja_env.filters["numberformat"] = number
    app.jinja_env.filters["dateformat"] = _date_filter
    # Not Flask-Babel's own functions, which look up domain and language for every string, of which a page has
    # hundreds, nor Jinja's, which create a context for each word in a loop.
    app.jinja_env.newstyle_gettext = True  # type: ignore[attr-defined]
    for name, marked in _MARKED.items():
        setattr(app.jinja_env, f"marked_{name}", marked)
        app.jinja_env.globals[name] = _escaping(name)


def words() -> NullTranslations:
    """Return the catalogue of the page's language, looked up once for each request."""
    return reader().words


def gettext(one: str, **values: Any) -> str:
    """Translate *one* and fill in *values*: like Flask-Babel's, without its lookup for each word."""
    text: str = reader().words.ugettext(one)
    return text % values if values else text


def pgettext(context: str, one: str, **values: Any) -> str:
    """Translate *one* as :func:`gettext` does; *context* distinguishes meanings of the same word."""
    text: str = reader().words.upgettext(context, one)
    return text % values if values else text


def lazy_gettext(one: str, **values: Any) -> LazyString:
    """Return *one* to be translated by :func:`gettext` when it is shown."""
    return LazyString(gettext, one, **values)


def _marked(one: str, /, **values: Any) -> Markup:
    """Translate words of a template: *values* are escaped, and ``%%`` is a percent sign, as in Jinja."""
    text: str = reader().words.ugettext(one)
    return Markup(text) % values if values or "%" in text else Markup(text)  # noqa: S704 - a catalogue's


def _marked_plural(one: str, many: str, number: int, /, **values: Any) -> Markup:
    text: str = reader().words.ungettext(one, many, number)
    return Markup(text) % {"num": number, **values}  # noqa: S704 - a catalogue's


def _marked_meaning(context: str, one: str, /, **values: Any) -> Markup:
    text: str = reader().words.upgettext(context, one)
    return Markup(text) % values if values or "%" in text else Markup(text)  # noqa: S704 - a catalogue's


def _marked_plural_meaning(context: str, one: str, many: str, number: int, /, **values: Any) -> Markup:
    text: str = reader().words.unpgettext(context, one, many, number)
    return Markup(text) % {"num": number, **values}  # noqa: S704 - a catalogue's


_MARKED: Mapping[str, Callable[..., Markup]] = {
    "_": _marked,
    "gettext": _marked,
    "ngettext": _marked_plural,
    "pgettext": _marked_meaning,
    "npgettext": _marked_plural_meaning,
}


def _escaping(name: str) -> Callable[..., Markup]:
    """Return what a template calls *name* with for words that it was handed: they come back escaped."""
    method, count = "ugettext" if name == "_" else f"u{name}", TRANSLATORS[name]

    def translate(*arguments: Any, **values: Any) -> Markup:
        texts, number = [str(one) for one in arguments[:count]], arguments[count:]
        # The catalogue's entry for no text is its own head.
        text = escape(getattr(words(), method)(*texts, *number) if any(texts) else "")
        if number:
            values = {"num": number[0], **values}
        try:
            return text % values if values else text
        except (KeyError, TypeError, ValueError):  # a percent sign that is only a percent sign
            return text

    return translate


def _escaped(self: LazyString) -> Markup:
    return escape(str(self))


# Flask-Babel's says that it is HTML as it stands, with every name that was filled in.
LazyString.__html__ = _escaped


class _BabelZone(ZoneInfo):
    """A zone for Flask-Babel, which would look up pytz's, of other data, and calls what only those have."""

    def normalize(self, at: datetime) -> datetime:
        return at


class Reader(msgspec.Struct, frozen=True):
    """The language and the time zone of a page, looked up once for each request.

    :param dates: cache of formatted days, by pattern: a list has many rows of one day.
    """

    words: NullTranslations
    locale: Locale | None
    zone: ZoneInfo
    dates: dict[tuple[str, date], str] = msgspec.field(default_factory=dict)

    def local(self, at: datetime) -> datetime:
        """Return *at* in the reader's time zone."""
        return at.astimezone(self.zone)

    def date_text(self, there: date, pattern: str) -> str:
        """Return a day, or the day of a time as it is written there, in the reader's language.

        :param pattern: in Babel's syntax, without hours.
        """
        day = there.date() if isinstance(there, datetime) else there
        key = (pattern, day)
        text = self.dates.get(key)
        if text is None:
            written = day_pattern(pattern, self.locale)
            text = self.dates[key] = format_day(day, written, self.locale)
        return text


_DAY_AND_MONTH = re.compile(r"\bd (MMMM?)( y)?\b")


@cache
def day_pattern(pattern: str, locale: Locale | None) -> str:
    """Return *pattern* with day and month in the style of *locale*: ``d MMM`` is ``d. MMM`` in German.

    English keeps the order of *pattern*, with the day first, in every country.
    """
    if locale is None or locale.language == "en":
        return pattern

    def as_there(found: re.Match[str]) -> str:
        month, year = found.groups()
        if month == "MMMM" and year:
            return str(locale.date_formats["long"])
        known = locale.datetime_skeletons.get(f"{'y' if year else ''}{month}d")
        return found[0] if known is None else str(known)

    return _DAY_AND_MONTH.sub(as_there, pattern)


def reader() -> Reader:
    """Return the language and the time zone of the current page."""
    try:
        return cast(Reader, g.reader)
    except AttributeError:
        found = g.reader = Reader(get_translations(), get_locale(), clock.zone(zone()))
        return found
    except RuntimeError:  # outside pages, texts are English
        return Reader(NullTranslations(), None, clock.zone("UTC"))


def local(at: datetime) -> datetime:
    """Return *at* in the reader's time zone."""
    return at.astimezone(reader().zone)


def zone() -> str:
    """Return the time zone the person chose, else the browser's, else the workspace's, else UTC."""
    user = maybe_user()
    if user is not None and user.timezone in clock.zones():
        return str(user.timezone)
    name = request.cookies.get(ZONE_COOKIE, "") if has_request_context() else ""
    if not name and user is not None:
        workspace = shown_workspace()
        membership = None if workspace is None else user.membership(workspace.id)
        name = "" if membership is None else membership.timezone
    return name if is_zone(name) else "UTC"


def is_zone(name: str) -> bool:
    """Return whether *name* is a time zone: browsers may send more than there are to choose from."""
    return name in _every_zone()


@cache
def _every_zone() -> frozenset[str]:
    return frozenset(available_timezones())


def zone_name() -> str:
    """Return the reader's time zone as the lists to choose from name it: ``America/New York``."""
    return reader().zone.key.replace("_", " ")


def number(value: float) -> str:
    """Return *value* with the separators of the reader's language; small counts, as most are, have none."""
    if type(value) is int and 0 <= value < 1000:
        return str(value)
    return str(format_number(value))


def _date_filter(at: date | datetime, format: str | None = None, rebase: bool = True) -> str:
    """Flask-Babel's filter, but with day and month as the reader's language writes them."""
    return str(format_date(at, format and day_pattern(format, reader().locale), rebase))


def moment(at: datetime) -> str:
    """Return day and minute of *at* in the reader's language and time zone, with the month spelled out."""
    locale, there = reader().locale, reader().local(at if at.tzinfo else at.replace(tzinfo=UTC))
    locale = locale or Locale("en")
    return day_and_time(format_day(there, "medium", locale), f"{there:%H:%M}", locale)


def ending(at: datetime) -> str:
    """Return when something ends, as :func:`moment` does, with the time zone, as people act on that later."""
    return f"{moment(at)} ({zone_name()})"


def shown() -> str:
    """Return the language of the page as used in HTML: ``en``, ``pt-BR``."""
    return str(reader().locale or "en").replace("_", "-")
