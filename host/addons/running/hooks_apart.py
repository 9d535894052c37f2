"""Call hooks that only notify an addon, in a separate process.

A hook that exits its process, hangs or uses up memory harms nothing else. The process has this one's
settings, keys and database, because the hook does the addon's usual work; it loads no other addon. The
process and its children are killed when the hook has returned or timed out.
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
"""Timeout of such a hook in seconds, including the start of its process."""


class HookError(Exception):
    """A hook failed in its own process, as described by the message."""


def has(generation: Generation, slug: str, hook: str) -> bool:
    """Return whether the addon *slug* of *generation* implements *hook*."""
    plugin = generation.plugins.get_plugin(slug)
    callers = [] if plugin is None else generation.plugins.get_hookcallers(plugin) or []
    return any(caller.name == hook for caller in callers)


def tell(config: Config, release: Release, hook: str) -> None:
    """Call *hook* of *release* and wait for it; errors are only logged and counted.

    Call it without the operation lock, which addon code must not hold without need.
    """
    started = time.perf_counter()
    failed = _ask(config, release, hook)
    error = None if failed is None else HookError(failed)
    in_process.metrics().note(release.slug, release.version, hook, time.perf_counter() - started, error)
    if failed is not None:
        log.warning("addon %s: %s failed: %s", release.slug, hook, failed)


def _ask(config: Config, release: Release, hook: str) -> str | None:
    """Return the error, or None."""
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
