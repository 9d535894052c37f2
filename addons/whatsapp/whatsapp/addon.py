"""Hooks of the addon: its channel, card, webhook and table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from host.sdk.cards import SettingsCard
from host.sdk.channel import ChannelAdapter
from host.sdk.hookspecs import hookimpl
from host.sdk.pages import Job, Migrations
from host.sdk.webhooks import WebhookRoute

from . import rights, webhook
from .card import CARD
from .channel import WhatsAppAdapter


@hookimpl
def register_channels() -> Sequence[ChannelAdapter]:
    return [WhatsAppAdapter()]


@hookimpl
def register_settings_cards() -> Sequence[SettingsCard]:
    return [CARD]


@hookimpl
def register_webhook_routes() -> Sequence[WebhookRoute]:
    most = webhook.MAX_BODY
    return [WebhookRoute("webhook", "whatsapp", webhook.authenticate, webhook.verify, most, quick=True)]


@hookimpl
def register_migrations() -> Migrations:
    return Migrations(Path(__file__).resolve().parent.parent / "migrations")


@hookimpl
def register_jobs() -> Sequence[Job]:
    return [rights.JOB]
