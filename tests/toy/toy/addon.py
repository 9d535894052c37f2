"""The toy's hook implementations, nothing else."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from flask import Blueprint

from host.sdk.api import ApiRoute
from host.sdk.cards import SettingsCard, SettingsCheck
from host.sdk.events import Listener
from host.sdk.hookspecs import hookimpl
from host.sdk.pages import AdminPage, Job, Migrations
from host.sdk.panels import ComposerAction, Panel
from host.sdk.reports import ReportSection
from host.sdk.rules import AssistantTool, RuleAction, RuleCondition
from host.sdk.webhooks import Receiver, WebhookRoute

from . import api, events, listeners, pages, panels, reports, rules, shop, webhook
from .channel import ToyChannel
from .connect import card


@hookimpl
def register_channels() -> list[ToyChannel]:
    return [ToyChannel()]


@hookimpl
def register_settings_cards() -> list[SettingsCard]:
    return [card]


@hookimpl
def register_settings_check() -> SettingsCheck:
    return shop.CHECK


@hookimpl
def register_webhook_routes() -> list[WebhookRoute]:
    return [WebhookRoute("webhook", "toy", webhook.authenticate, webhook.verify, max_body=64 * 1024)]


@hookimpl
def register_receivers() -> list[Receiver]:
    return [Receiver("ear", "toy", events.listen)]


@hookimpl
def register_migrations() -> Migrations:
    return Migrations(Path(__file__).resolve().parent.parent / "migrations")


@hookimpl
def register_admin_pages() -> list[AdminPage]:
    return [AdminPage("Toy channel", "toy/settings.html", pages.overview)]


@hookimpl
def register_blueprints() -> list[Blueprint]:
    return [pages.bp]


@hookimpl
def register_jobs() -> list[Job]:
    return [Job("sweep", timedelta(hours=1), events.sweep)]


@hookimpl
def register_conditions() -> list[RuleCondition]:
    return rules.CONDITIONS


@hookimpl
def register_actions() -> list[RuleAction]:
    return rules.ACTIONS


@hookimpl
def register_tools() -> list[AssistantTool]:
    return rules.TOOLS


@hookimpl
def register_panels() -> list[Panel]:
    return panels.PANELS


@hookimpl
def register_composer_actions() -> list[ComposerAction]:
    return panels.COMPOSER_ACTIONS


@hookimpl
def register_report_sections() -> list[ReportSection]:
    return reports.SECTIONS


@hookimpl
def register_routes() -> list[ApiRoute]:
    return api.ROUTES


@hookimpl
def register_listeners() -> list[Listener]:
    return [Listener("toy.parcels", ["conversation.labelled"], listeners.labelled)]


@hookimpl
def addon_activated() -> None:
    events.note("activated")


@hookimpl
def addon_deactivated() -> None:
    events.note("deactivated")
