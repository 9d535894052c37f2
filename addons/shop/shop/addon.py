"""Hooks of the addon: settings check, panel, composer's button, tool, condition, API route, webhook."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from flask import Blueprint

from host.sdk.api import ApiRoute
from host.sdk.cards import SettingsCheck
from host.sdk.hookspecs import hookimpl
from host.sdk.pages import Migrations
from host.sdk.panels import ComposerAction, Panel
from host.sdk.rules import AssistantTool, RuleCondition

from . import webhook
from .api import ROUTES
from .beside import ACTION, PANEL
from .checking import CHECK
from .rules import CONDITION
from .tool import TOOL


@hookimpl
def register_settings_check() -> SettingsCheck:
    return CHECK


@hookimpl
def register_panels() -> Sequence[Panel]:
    return [PANEL]


@hookimpl
def register_composer_actions() -> Sequence[ComposerAction]:
    return [ACTION]


@hookimpl
def register_tools() -> Sequence[AssistantTool]:
    return [TOOL]


@hookimpl
def register_conditions() -> Sequence[RuleCondition]:
    return [CONDITION]


@hookimpl
def register_routes() -> Sequence[ApiRoute]:
    return ROUTES


@hookimpl
def register_blueprints() -> Sequence[Blueprint]:
    return [webhook.bp]


@hookimpl
def register_migrations() -> Migrations:
    return Migrations(Path(__file__).resolve().parent.parent / "migrations")
