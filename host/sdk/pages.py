"""Admin pages, migrations and periodic jobs of an addon."""

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
    :param context: called per request; returns the template's context, in addition to ``title`` and
        ``manifest``.
    """

    title: str
    template: str
    context: Callable[[], Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Migrations:
    """The location of an addon's Alembic revisions."""

    directory: Path


@dataclass(frozen=True, slots=True)
class Job:
    """A job that runs every *every*, in one process at a time, outside any transaction."""

    name: str
    every: timedelta
    run: Callable[[], None]
