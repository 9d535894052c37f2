"""Choose the language and the time zone of a page."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from pathlib import Path

from babel import Locale
from babel.dates import get_timezone
from babel.support import NullTranslations
from flask import Flask, g, has_request_context, request
from flask_babel import Babel, format_date, format_time, get_locale, get_translations

from host.core.config import Config
from host.web.request_helpers import maybe_user

FOLDER = Path(__file__).parents[1] / "translations"
ZONE_COOKIE = "lobby-zone"


@cache
def available() -> tuple[str, ...]:
    """Return the languages with a compiled catalogue, English first: it is what the code is written in."""
    found = {path.parent.parent.name for path in FOLDER.glob("*/LC_MESSAGES/*.mo")}
    return ("en", *sorted(found - {"en"}))


def choices() -> list[tuple[str, str]]:
    """Return code and own name of each language, for a select."""
    return [(code, (Locale.parse(code).get_display_name(code) or code).capitalize()) for code in available()]


def install(app: Flask, config: Config) -> None:
    """Render the pages of *app* in the reader's language: theirs, else the browser's, else the desk's."""
    default = config.language if config.language in available() else "en"

    def locale() -> str:
        if not has_request_context():
            return default
        user = maybe_user()
        if user is not None and user.locale in available():
            return user.locale
        codes = [default, *(code for code in available() if code != default)]
        return request.accept_languages.best_match(codes, default) or default

    Babel(
        app,
        default_locale=default,
        default_translation_directories=str(FOLDER),
        locale_selector=locale,
        timezone_selector=zone,
    )
    # Flask-Babel's own functions look up domain and language for every string, of which a page has hundreds.
    app.jinja_env.install_gettext_callables(  # type: ignore[attr-defined]
        lambda one: words().ugettext(one),
        lambda one, many, number: words().ungettext(one, many, number),
        newstyle=True,
        pgettext=lambda context, one: words().upgettext(context, one),
        npgettext=lambda context, one, many, number: words().unpgettext(context, one, many, number),
    )


def words() -> NullTranslations:
    """Return the catalogue of the page's language, looked up once for each request."""
    found: NullTranslations | None = g.get("words") if g else None
    if found is None:
        found = get_translations()
        if g:
            g.words = found
    return found


def zone() -> str:
    """Return the time zone from the browser's cookie, else UTC."""
    name = request.cookies.get(ZONE_COOKIE, "UTC") if has_request_context() else "UTC"
    try:
        get_timezone(name)
    except LookupError:
        return "UTC"
    return name


def moment(at: datetime) -> str:
    """Return day and minute of *at* in the reader's language and time zone, the month spelled out."""
    locale = get_locale()
    pattern = str(locale.datetime_formats["medium"]) if locale else "{1}, {0}"
    return pattern.replace("{1}", format_date(at, "medium")).replace("{0}", format_time(at, "short"))


def shown() -> str:
    """Return the language of the page as an HTML ``lang``: ``en``, ``pt-BR``."""
    return str(get_locale() or "en").replace("_", "-")
