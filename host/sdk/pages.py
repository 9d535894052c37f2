"""Pages an addon adds to the admin area, migrations it brings, and work it repeats."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class AdminPage:
    """The page behind the Settings button of an addon's card, at ``/admin/addons/<slug>/settings``.

    :param template: ``<slug>/<name>.html`` in the addon's ``templates/``; it extends the host's
        ``admin.html`` and fills its block ``page``.
    :param context: called per request; what it returns is the template's context, beside ``title`` and
        ``manifest``.
    """

    title: str
    template: str
    context: Callable[[], Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Migrations:
    """Where an addon's Alembic revisions are."""

    directory: Path


@dataclass(frozen=True, slots=True)
class Job:
    """Work repeated every *every*, by one process at a time, outside any transaction."""

    name: str
    every: timedelta
    run: Callable[[], None]
