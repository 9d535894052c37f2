"""A kind of message that only one channel has: a poll."""

from __future__ import annotations

from dataclasses import dataclass

from host.sdk.messages import CustomKind, MessageCard
from host.sdk.panels import Icon


@dataclass(frozen=True, slots=True)
class Poll:
    question: str
    choices: tuple[str, ...]
    link: str = ""


def poll_cards(poll: Poll) -> list[MessageCard]:
    if poll.question == "broken":
        raise RuntimeError("the addon's fault")
    rows = [(str(number), choice) for number, choice in enumerate(poll.choices, 1)]
    return [MessageCard(poll.question, rows=rows, href=poll.link)]


POLL = CustomKind("poll", "Poll", Icon.LIST, Poll, poll_cards)
