"""Read what addons look up for their webhooks before the first one comes.

A process has it at hand then, should its database go away before anybody wrote.
"""

from __future__ import annotations

import logging

from host import counters
from host.addons.running.generation import Generation
from host.core import db, marks

log = logging.getLogger(__name__)


def load_all(generation: Generation) -> None:
    """Load every look-up of the addons of *generation*. What fails is loaded when it is asked for."""
    for slug, release in generation.releases.items():
        own = f"{release.module_name}."
        for one in [
            found for found, module in list(counters.look_ups.items()) if f"{module}.".startswith(own)
        ]:
            try:
                with marks.marked(marks.label(slug, "look-up")):
                    one.get()
            except (Exception, SystemExit) as error:  # noqa: BLE001 - the webhook that asks tells of it
                log.info("a look-up of addon %s is not loaded yet: %s", slug, db.describe(error)[1])
