"""The hooks an addon may implement. Each is called for one addon at a time; an addon that raises is left out.

While a generation is built the host collects what every addon returns, checks it, and only then applies it.
No hook receives the app.
"""

from __future__ import annotations

from collections.abc import Sequence

import pluggy
from flask import Blueprint

from host.sdk.cards import SettingsCard
from host.sdk.channel import ChannelAdapter
from host.sdk.pages import AdminPage, Job, Migrations
from host.sdk.rules import AssistantTool, RuleAction, RuleCondition
from host.sdk.webhooks import Receiver, WebhookRoute

PROJECT = "lobby"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def register_channels() -> Sequence[ChannelAdapter]:  # type: ignore[empty-body]
    """Return the channels the addon brings. Called while a generation is built, in no transaction."""


@hookspec
def register_settings_cards() -> Sequence[SettingsCard]:  # type: ignore[empty-body]
    """Return the cards for Settings -> Channels, each for a channel of the same addon."""


@hookspec
def register_webhook_routes() -> Sequence[WebhookRoute]:  # type: ignore[empty-body]
    """Return the public addresses providers post to. Each path must be declared in the manifest."""


@hookspec
def register_receivers() -> Sequence[Receiver]:  # type: ignore[empty-body]
    """Return listeners of the addon's own, started in the serving process when the generation takes over."""


@hookspec
def register_migrations() -> Migrations:  # type: ignore[empty-body]
    """Return where the addon's revisions are. Called at activation, before the generation is built."""


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
    """Return conditions for the rules of workspaces, each on conversations of a channel of the same addon."""


@hookspec
def register_actions() -> Sequence[RuleAction]:  # type: ignore[empty-body]
    """Return actions for the rules of workspaces, each on conversations of a channel of the same addon."""


@hookspec
def register_tools() -> Sequence[AssistantTool]:  # type: ignore[empty-body]
    """Return tools for the assistants of workspaces, each in conversations of a channel of the same addon."""


@hookspec
def addon_activated() -> None:
    """Run once after this addon's activation, in a process of its own. A raise is logged."""


@hookspec
def addon_deactivated() -> None:
    """Run once after this addon's deactivation, in a process of its own. A raise is logged."""
