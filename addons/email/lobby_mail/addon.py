"""The hooks of the email channel."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from flask import Blueprint

from host.sdk.cards import SettingsCard
from host.sdk.channel import ChannelAdapter
from host.sdk.hookspecs import hookimpl
from host.sdk.pages import Job, Migrations
from host.sdk.webhooks import Receiver

from . import rights, round_trip
from .card import card
from .channel import EmailAdapter
from .folder_views import bp
from .imap import watching
from .oauth import tokens
from .receiving import receiver


@hookimpl
def register_channels() -> Sequence[ChannelAdapter]:
    return [EmailAdapter()]


@hookimpl
def register_settings_cards() -> Sequence[SettingsCard]:
    return [card()]


@hookimpl
def register_blueprints() -> Sequence[Blueprint]:
    return [bp]


@hookimpl
def register_migrations() -> Migrations:
    return Migrations(Path(__file__).parents[1] / "migrations")


@hookimpl
def register_receivers() -> Sequence[Receiver]:
    return [*receiver(), Receiver("imap", "email", watching.start)]


@hookimpl
def register_jobs() -> Sequence[Job]:
    return [tokens.JOB, round_trip.JOB, rights.JOB]
