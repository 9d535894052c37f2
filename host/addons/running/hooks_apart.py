"""Call the hooks that only tell an addon something in a process of their own.

One that ends its process, hangs or eats the memory takes nothing with it. The process has the settings, the
keys and the database of this one, because what the addon does there is its usual work; it loads no other
addon. It is ended with everything it started when it has returned, or when its time is up.
"""

from __future__ import annotations

import logging
import pickle
import time

import msgspec

from host.addons.metrics import in_process
from host.addons.package.store import Release
from host.addons.running.generation import Generation
from host.addons.running.hook_child import Answer
from host.core import child
from host.core.config import Config
from host.sdk import strictjson

log = logging.getLogger(__name__)

MODULE = "host.addons.running.hook_child"
SECONDS = 20.0
"""How long such a hook may take, the start of its process included."""


class HookError(Exception):
    """A hook failed in its own process. The message says how."""


def has(generation: Generation, slug: str, hook: str) -> bool:
    """Tell whether the addon *slug* of *generation* implements *hook*."""
    plugin = generation.plugins.get_plugin(slug)
    callers = [] if plugin is None else generation.plugins.get_hookcallers(plugin) or []
    return any(caller.name == hook for caller in callers)


def tell(config: Config, release: Release, hook: str) -> None:
    """Call *hook* of *release*, and wait for it; whatever it does is logged and counted, and changes nothing.

    To be called without the lock for operations, which no addon's code may hold without need.
    """
    started = time.perf_counter()
    failed = _ask(config, release, hook)
    error = None if failed is None else HookError(failed)
    in_process.metrics().note(release.slug, release.version, hook, time.perf_counter() - started, error)
    if failed is not None:
        log.warning("addon %s: %s failed: %s", release.slug, hook, failed)


def _ask(config: Config, release: Release, hook: str) -> str | None:
    """Return how it failed, or None."""
    with child.conversing(MODULE) as line:
        try:
            said = line.ask(pickle.dumps((config, release, hook)), timeout=SECONDS)
            answer = strictjson.decode(said, Answer)
        except child.LateError:
            return f"it had not returned after {SECONDS:g} s and was ended"
        except child.LineEndedError as error:
            return f"it ended its process: {error}"
        except msgspec.DecodeError:
            return "it disturbed the report"
    for level, name, text in answer.lines:
        logging.getLogger(name).log(level, "addon %s: %s", release.slug, text)
    return answer.failed
