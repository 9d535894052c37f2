"""The headers of answers of deprecated routes: since when, until when, and what is there instead."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from werkzeug.http import http_date

from host.api.http.declare import BASE, Route

KEPT = timedelta(days=365)
"""How long a deprecated route answers at least, as docs/api-changes.md promises."""


def headers(route: Route, ids: Mapping[str, int | str]) -> dict[str, str]:
    """Return ``Deprecation`` (RFC 9745), ``Sunset`` (RFC 8594) and ``Link``; none for a route that stays.

    :param ids: the ids in the path of the request.
    """
    if not route.replaced_by:
        return {}
    since = datetime.fromisoformat(route.replaced_in).replace(tzinfo=UTC)
    path = route.replaced_by.partition(" ")[2].format_map(ids)
    return {
        "Deprecation": f"@{int(since.timestamp())}",
        "Sunset": http_date(since + KEPT),
        "Link": f'<{BASE}{path}>; rel="successor-version", </api/docs>; rel="deprecation"; type="text/html"',
    }
