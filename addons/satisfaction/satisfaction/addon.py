"""Hooks of the addon: its listener, table, panel, condition, report section, route of the API and job."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from host.sdk.api import ApiRoute
from host.sdk.events import Listener
from host.sdk.hookspecs import hookimpl
from host.sdk.pages import Job, Migrations
from host.sdk.panels import Panel
from host.sdk.reports import ReportSection
from host.sdk.rules import RuleCondition

from . import asking
from .api import ROUTES
from .beside import PANEL
from .keeping import tidy
from .reports import SECTION
from .rules import CONDITION


@hookimpl
def register_listeners() -> Sequence[Listener]:
    return [Listener("satisfaction.asking", asking.EVENTS, asking.handle, writes_to=asking.writes_to)]


@hookimpl
def register_migrations() -> Migrations:
    return Migrations(Path(__file__).resolve().parent.parent / "migrations")


@hookimpl
def register_panels() -> Sequence[Panel]:
    return [PANEL]


@hookimpl
def register_conditions() -> Sequence[RuleCondition]:
    return [CONDITION]


@hookimpl
def register_report_sections() -> Sequence[ReportSection]:
    return [SECTION]


@hookimpl
def register_routes() -> Sequence[ApiRoute]:
    return ROUTES


@hookimpl
def register_jobs() -> Sequence[Job]:
    return [
        Job("ask", timedelta(seconds=30), asking.ask_later),
        Job("tidy", timedelta(hours=6), tidy),
    ]
