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

MAX_BODY = 3 * 1024 * 1024
"""Most bytes of a delivery of Meta's: a chunk of a history can be that large."""


@hookimpl
def register_channels() -> Sequence[ChannelAdapter]:
    return [WhatsAppAdapter()]


@hookimpl
def register_settings_cards() -> Sequence[SettingsCard]:
    return [CARD]


@hookimpl
def register_webhook_routes() -> Sequence[WebhookRoute]:
    return [WebhookRoute("webhook", "whatsapp", webhook.authenticate, webhook.verify, MAX_BODY, quick=True)]


@hookimpl
def register_migrations() -> Migrations:
    return Migrations(Path(__file__).resolve().parent.parent / "migrations")


@hookimpl
def register_jobs() -> Sequence[Job]:
    return [rights.JOB]
