"""Problems and metrics about endpoints, for operators."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from flask_babel import lazy_gettext as _l
from flask_babel import ngettext
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from sqlalchemy.orm import Session

from host.core import db
from host.features.problem import Problem
from host.web.languages import gettext as _
from host.web.languages import moment
from host.webhooks import log

LATE = timedelta(seconds=60)
"""Delay after which due deliveries count as stuck."""
LATE_ALERT = "LobbyEndpointsLate"
LATE_ADVICE = _l("No events are lost. Make sure a worker is running, and check the log for lobby.outgoing.")


def problems(session: Session) -> Iterator[Problem]:
    """Yield problems for an operator."""
    late = log.oldest_due(session)
    if late is not None and db.now() - late > LATE:
        fact = _(
            "Webhook deliveries are delayed: the oldest event has been waiting since %(since)s.",
            since=moment(late),
        )
        yield Problem("bad", fact, str(LATE_ADVICE), alert=LATE_ALERT)
    off = log.by_state(session)["off"]
    if off:
        fact = ngettext(
            "%(num)s webhook endpoint is off.",
            "%(num)s webhook endpoints are off.",
            off,
        )
        advice = _(
            "The workspace's owners were notified and can resume it under Settings, Integrations, Webhooks."
        )
        yield Problem("warn", fact, advice)


def metrics(session: Session) -> Iterator[Metric]:
    """Yield the metrics about endpoints."""
    late = log.oldest_due(session)
    seconds = 0.0 if late is None else (db.now() - late).total_seconds()
    text = "How long the oldest due delivery to an endpoint that works has waited for a sender."
    yield GaugeMetricFamily("lobby_endpoints_late_seconds", text, max(seconds, 0.0))
    told = GaugeMetricFamily("lobby_endpoints", "Endpoints of other programs by state.", labels=["state"])
    for state, count in log.by_state(session).items():
        told.add_metric([state], count)
    yield told
