"""Preload the data that addons look up for their webhooks, and drop it when they stop.

A process then has it even if the database becomes unavailable before the first request. It includes
credentials.
"""

from __future__ import annotations

import logging

from host import counters
from host.addons.running.generation import Generation
from host.addons.running.loader import LoadedRelease
from host.core import db, marks

log = logging.getLogger(__name__)


def load_all(generation: Generation) -> None:
    """Load every look-up of the addons of *generation*. Failed ones are loaded on first use."""
    for slug, release in generation.releases.items():
        for one in _of(release):
            try:
                with marks.marked(marks.label(slug, "look-up")):
                    one.get()
            except (Exception, SystemExit) as error:  # noqa: BLE001 - the webhook that asks tells of it
                log.info("a look-up of addon %s is not loaded yet: %s", slug, db.describe(error)[1])


def forget(before: Generation, now: Generation) -> None:
    """Drop the data of releases that are in *before* but not in *now*."""
    running = {release.module_name for release in now.releases.values()}
    for release in before.releases.values():
        if release.module_name not in running:
            for one in _of(release):
                one.forget()


def _of(release: LoadedRelease) -> list[counters.LookUp]:
    own = f"{release.module_name}."
    return [found for found, module in list(counters.look_ups.items()) if f"{module}.".startswith(own)]
