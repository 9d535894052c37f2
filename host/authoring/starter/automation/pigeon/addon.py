"""The addon's contributions to the host, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from host.sdk.events import Listener
from host.sdk.hookspecs import hookimpl
from host.sdk.pages import Migrations
from host.sdk.rules import RuleCondition

from .listening import wrote
from .rules import CONDITION


@hookimpl
def register_listeners() -> Sequence[Listener]:
    return [Listener("pigeon.messages", ["message.received"], wrote)]


@hookimpl
def register_conditions() -> Sequence[RuleCondition]:
    return [CONDITION]


@hookimpl
def register_migrations() -> Migrations:
    return Migrations(Path(__file__).resolve().parent.parent / "migrations")
