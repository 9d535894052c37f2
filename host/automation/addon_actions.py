"""Plans of addons: what their actions want to be done."""

from __future__ import annotations

import logging

from host.core.ports import RuleDirectory
from host.sdk.rules import AskedAbout, React, SendText

log = logging.getLogger(__name__)


def planned(directory: RuleDirectory, name: str, channel: str, about: AskedAbout) -> React | SendText | str:
    """Return what the action *name* of an addon plans, or the reason why nothing is done.

    :param channel: of the conversation.
    """
    brought = directory.action(name)
    if brought is None:
        return "addon_off"
    if brought.channel not in {None, channel}:
        return "other_channel"
    try:
        wanted: object = brought.plan(about)
    except Exception:
        log.exception("the action %s failed", name)
        return "addon_failed"
    if wanted is None:
        return "nothing_to_do"
    said = wanted.emoji if isinstance(wanted, React) else getattr(wanted, "text", None)
    if not isinstance(wanted, React | SendText) or not isinstance(said, str) or not said:
        log.error("the action %s planned a %s that cannot be done", name, type(wanted).__name__)
        return "addon_failed"
    return wanted
