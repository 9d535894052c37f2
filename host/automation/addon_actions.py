"""Plans of addons: what their actions want to be done."""

from __future__ import annotations

import logging

from sqlalchemy.orm import Session

from host.automation import asking_addons
from host.automation.condition_facts import EventFacts
from host.core.ports import RuleDirectory
from host.sdk.rules import React, SendText

log = logging.getLogger(__name__)


def planned(
    session: Session, directory: RuleDirectory, name: str, channel: str, about: EventFacts
) -> React | SendText | str:
    """Return what the action *name* of an addon plans, or the reason why nothing is done.

    :param channel: of the conversation.
    :raises UnansweredError: if the addon has to be asked first, before the write.
    """
    brought = directory.action(name)
    if brought is None:
        return "addon_off"
    if brought.channel not in {None, channel}:
        return "other_channel"
    question = about.asks(brought)
    answer = asking_addons.answers_to(session, [question])[question]
    if not answer.came:
        return "addon_failed"
    wanted: object = answer.said
    if wanted is None:
        return "nothing_to_do"
    said = wanted.emoji if isinstance(wanted, React) else getattr(wanted, "text", None)
    if not isinstance(wanted, React | SendText) or not isinstance(said, str) or not said:
        log.error("the action %s planned a %s that cannot be done", name, type(wanted).__name__)
        return "addon_failed"
    return wanted
