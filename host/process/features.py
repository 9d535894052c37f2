"""The features of Lobby. Importing this module registers them for the process."""

from __future__ import annotations

from importlib import import_module

from host.features import registry
from host.features.feature import Feature

_FOLDERS = (
    "host.search",
    "host.queue",
    "host.channels",
    "host.inbox",
    "host.inbox.bulk",
    "host.inbox.canned",
    "host.inbox.contacts",
    "host.inbox.kept_drafts",
    "host.inbox.labels",
    "host.inbox.foreseen",
    "host.inbox.panels",
    "host.inbox.teams",
    "host.media",
    "host.live",
    "host.notifications",
    "host.push",
    "host.offline",
    "host.sharing",
    "host.automation",
    "host.rules",
    "host.sequences",
    "host.assistants",
    "host.webhooks",
    "host.events",
    "host.reports",
    "host.delivery",
    "host.health",
    "host.start",
    "host.today",
    "host.addons",
    "host.api",
    "host.users",
    "host.working_hours",
)
"""Folders with a ``feature.py``, in the order in which features take part in shared hooks."""

BUILT_IN: tuple[Feature, ...] = tuple(import_module(f"{name}.feature").FEATURE for name in _FOLDERS)

registry.use(BUILT_IN)
