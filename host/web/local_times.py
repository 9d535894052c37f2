"""Times that a page offers in a field and takes back as the same moments.

The text of a ``datetime-local`` field has no zone and no seconds, and is the same for both passes of an hour
that clocks repeat. So a hidden field beside it holds what the page wrote, as RFC 9557 does:
``2026-10-25T01:30:00+00:00[Europe/Berlin]``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from host.core import clock
from host.web import languages

_BESIDE = re.compile(r"(?P<at>[^\[\]]{0,40})\[(?P<zone>[^\[\]]{1,64})\]")


def written(at: datetime | None) -> str:
    """Return the value of a ``datetime-local`` field in the reader's zone; empty for None."""
    return "" if at is None else _text(at, languages.reader().zone)


def beside(at: datetime | None = None) -> str:
    """Return the value of the hidden field ``<name>_page``: the moment written, and the page's zone."""
    return f"{'' if at is None else at.astimezone(UTC).isoformat()}[{languages.reader().zone.key}]"


def page_zone(form: Mapping[str, str], name: str) -> ZoneInfo:
    """Return the zone of the page that a field came from, which may have been opened before a journey."""
    found = _BESIDE.fullmatch(form.get(f"{name}_page", ""))
    if found is None or not languages.is_zone(found["zone"]):
        return languages.reader().zone
    return clock.zone(found["zone"])


def typed(form: Mapping[str, str], name: str) -> datetime:
    """Return the moment of a ``datetime-local`` field: the one the page wrote, if its text is unchanged.

    :raises ValueError: if it is invalid.
    """
    text, zone = form.get(name, ""), page_zone(form, name)
    found = _BESIDE.fullmatch(form.get(f"{name}_page", ""))
    if found is not None and found["at"]:
        try:
            offered = datetime.fromisoformat(found["at"])
            if offered.tzinfo is not None and _text(offered, zone) == text:
                return offered.astimezone(UTC)
        except (ValueError, OverflowError):
            pass  # what was sent beside is no time: the text counts
    return clock.typed_moment(text, zone)


def _text(at: datetime, zone: ZoneInfo) -> str:
    return f"{at.astimezone(zone):%Y-%m-%dT%H:%M}"
