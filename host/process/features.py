"""The features of Lobby. Importing this module registers them for the process."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import host
from host.features import registry
from host.features.feature import Feature

_IN_ORDER = (
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
"""The features that take part in shared hooks in this order. All others follow, by name."""


def folders() -> tuple[str, ...]:
    """Return the packages of the host that hold a ``feature.py``, in the order of their features."""
    root = Path(host.__file__).parent
    found = {".".join(("host", *path.parent.relative_to(root).parts)) for path in root.rglob("feature.py")}
    # The package of the class Feature.
    others = found - {"host.features", *_IN_ORDER}
    return (*_IN_ORDER, *sorted(others))


BUILT_IN: tuple[Feature, ...] = tuple(import_module(f"{name}.feature").FEATURE for name in folders())

registry.use(BUILT_IN)
