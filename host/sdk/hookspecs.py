"""The hooks an addon may implement. Each is called for one addon at a time; an addon that raises is skipped.

While a generation is built the host collects and checks the results of all addons, and only then applies
them. No hook receives the app.
"""

from __future__ import annotations

from collections.abc import Sequence

import pluggy
from flask import Blueprint

from host.sdk.api import ApiRoute
from host.sdk.cards import SettingsCard, SettingsCheck
from host.sdk.channel import ChannelAdapter
from host.sdk.events import Listener
from host.sdk.pages import AdminPage, Job, Migrations
from host.sdk.panels import ComposerAction, Panel
from host.sdk.reports import ReportSection
from host.sdk.rules import AssistantTool, RuleAction, RuleCondition
from host.sdk.webhooks import Receiver, WebhookRoute

PROJECT = "lobby"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def register_channels() -> Sequence[ChannelAdapter]:  # type: ignore[empty-body]
    """Return the addon's channels. Called while a generation is built, outside any transaction."""


@hookspec
def register_settings_cards() -> Sequence[SettingsCard]:  # type: ignore[empty-body]
    """Return the cards for Settings -> Channels, each for a channel of the same addon."""


@hookspec
def register_settings_check() -> SettingsCheck:  # type: ignore[empty-body]
    """Return the check of the settings that owners fill in, for its *Save and check* button."""


@hookspec
def register_webhook_routes() -> Sequence[WebhookRoute]:  # type: ignore[empty-body]
    """Return the public addresses providers post to. Each path must be declared in the manifest."""


@hookspec
def register_receivers() -> Sequence[Receiver]:  # type: ignore[empty-body]
    """Return the addon's listeners, started in the serving process when the generation becomes active."""


@hookspec
def register_migrations() -> Migrations:  # type: ignore[empty-body]
    """Return the location of the addon's revisions. Called at activation, before the generation is built."""


@hookspec
def register_admin_pages() -> Sequence[AdminPage]:  # type: ignore[empty-body]
    """Return the page behind the card's Settings button; at most one."""


@hookspec
def register_blueprints() -> Sequence[Blueprint]:  # type: ignore[empty-body]
    """Return extra pages, served under ``/addons/<slug>/``. They need a login unless declared public."""


@hookspec
def register_jobs() -> Sequence[Job]:  # type: ignore[empty-body]
    """Return periodic work, such as renewing tokens."""


@hookspec
def register_conditions() -> Sequence[RuleCondition]:  # type: ignore[empty-body]
    """Return conditions for the rules of workspaces, on a channel of the same addon or on every channel."""


@hookspec
def register_actions() -> Sequence[RuleAction]:  # type: ignore[empty-body]
    """Return actions for the rules of workspaces, on a channel of the same addon or on every channel."""


@hookspec
def register_tools() -> Sequence[AssistantTool]:  # type: ignore[empty-body]
    """Return tools for the assistants of workspaces, on a channel of the same addon or on every channel."""


@hookspec
def register_panels() -> Sequence[Panel]:  # type: ignore[empty-body]
    """Return panels beside conversations and on contacts' pages."""


@hookspec
def register_composer_actions() -> Sequence[ComposerAction]:  # type: ignore[empty-body]
    """Return buttons for the composer of replies."""


@hookspec
def register_report_sections() -> Sequence[ReportSection]:  # type: ignore[empty-body]
    """Return sections with the addon's own figures for the Reports page."""


@hookspec
def register_routes() -> Sequence[ApiRoute]:  # type: ignore[empty-body]
    """Return routes of Lobby's API, below ``/api/v1/addons/<slug>/``."""


@hookspec
def register_listeners() -> Sequence[Listener]:  # type: ignore[empty-body]
    """Return listeners of events of the desk, each with a position of its own in the event log."""


@hookspec
def addon_activated() -> None:
    """Run once after this addon's activation, in a separate process. An exception is logged."""


@hookspec
def addon_deactivated() -> None:
    """Run once after this addon's deactivation, in a separate process. An exception is logged."""
