"""Hooks of webhooks for other features."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client.metrics_core import Metric
from sqlalchemy.orm import Session

from host.features.hookspecs import hookimpl
from host.features.problem import Problem
from host.webhooks import endpoints, health


@hookimpl
def problems(session: Session) -> list[Problem]:
    """Return problems for an operator."""
    return [*health.problems(session)]


@hookimpl
def metrics(session: Session) -> list[Metric]:
    """Return the number of endpoints and their delay as metrics."""
    return [*health.metrics(session)]


@hookimpl
def posts_events() -> bool:
    """Return True."""
    return True


@hookimpl
def addresses(session: Session, workspace_id: int) -> Mapping[int, str]:
    """Return the addresses of its endpoints."""
    return {one.id: one.url for one in endpoints.listing(session, workspace_id)}
