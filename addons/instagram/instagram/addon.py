"""Hooks of the addon: its channel, card, webhook, migrations, pages and jobs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from flask import Blueprint

from host.sdk.cards import SettingsCard
from host.sdk.channel import ChannelAdapter
from host.sdk.hookspecs import hookimpl
from host.sdk.pages import AdminPage, Job, Migrations
from host.sdk.rules import AssistantTool, RuleAction, RuleCondition
from host.sdk.webhooks import WebhookRoute

from . import card, rules
from .channel import InstagramAdapter
from .comments import card as comments_card
from .comments.channel import CommentsAdapter
from .config import CHANNEL, WEBHOOK_PATH
from .connect import clean_up
from .monitoring import inspection, renewal, watchdog
from .overview import views
from .webhook import verification


@hookimpl
def register_channels() -> Sequence[ChannelAdapter]:
    return [InstagramAdapter(), CommentsAdapter()]


@hookimpl
def register_settings_cards() -> Sequence[SettingsCard]:
    return [card.CARD, comments_card.CARD]


@hookimpl
def register_webhook_routes() -> Sequence[WebhookRoute]:
    return [
        WebhookRoute(
            path=WEBHOOK_PATH,
            channel=CHANNEL,
            authenticate=verification.authenticate,
            verify=verification.verify,
            quick=True,
        )
    ]


@hookimpl
def register_migrations() -> Migrations:
    return Migrations(Path(__file__).resolve().parent.parent / "migrations")


@hookimpl
def register_admin_pages() -> Sequence[AdminPage]:
    return [views.PAGE]


@hookimpl
def register_blueprints() -> Sequence[Blueprint]:
    return [views.bp, clean_up.bp]


@hookimpl
def register_jobs() -> Sequence[Job]:
    return [inspection.JOB, clean_up.JOB, renewal.JOB, inspection.WARNED_JOB, watchdog.JOB]


@hookimpl
def register_conditions() -> Sequence[RuleCondition]:
    return rules.CONDITIONS


@hookimpl
def register_actions() -> Sequence[RuleAction]:
    return rules.ACTIONS


@hookimpl
def register_tools() -> Sequence[AssistantTool]:
    return rules.TOOLS
