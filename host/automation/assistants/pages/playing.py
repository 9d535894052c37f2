"""The playground: what was said there is kept in its form alone, and nothing is sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from flask import request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from host.automation.assistants import playing, words
from host.automation.assistants.playing import ASSISTANT, CUSTOMER, MOST_LINES, Played, line
from host.automation.assistants.values import Body, ModelError
from host.core.errors import LobbyError

Page = Callable[..., ResponseReturnValue]
PAGES: dict[str, Page] = {}
"""What draws a page again, with what was said in the playground, by the name of its section."""


def register(tab: str, page: Page) -> None:
    """Have *page* draw the section *tab* with the playground beside it."""
    PAGES[tab] = page


@dataclass(frozen=True, slots=True)
class Play:
    """What was said in the playground.

    :param lines: who said something, and what; the newest last.
    :param played: what came of the last question; None: nothing was asked.
    :param problem: why no answer came.
    :param asked: the question an answer did not come to, to be asked again.
    :param again: where one starts again; empty: nothing was asked.
    """

    lines: Sequence[tuple[str, str]] = field(default=())
    played: Played | None = None
    problem: str = ""
    asked: str = ""
    again: str = ""

    @property
    def question(self) -> str:
        """What the customer said last."""
        return next((text for by, text in reversed(self.lines) if by == CUSTOMER), "")

    @property
    def before(self) -> Sequence[tuple[str, str]]:
        """What was said before the last answer, which is shown with all there is to say of it."""
        if self.played is not None and self.lines and self.lines[-1][0] == ASSISTANT:
            return self.lines[:-1]
        return self.lines

    @property
    def why(self) -> str:
        """Why the conversation would be given to people, in words."""
        return "" if self.played is None else words.said(self.played.reason)


def asked(workspace_id: int, assistant_id: int, draft: Body | None) -> Play:
    """Return what an assistant would answer to the form's question. Nothing is written meanwhile.

    :param draft: what it would say if it were saved; None: what holds.
    """
    lines = _lines()
    question = line(request.form.get("ask", ""))
    if not question:
        return Play(lines)
    lines = [*lines, (CUSTOMER, question)][-MOST_LINES:]
    try:
        played = playing.play(workspace_id, assistant_id, lines, draft)
    except ModelError as error:
        return Play(lines[:-1], problem=words.said(error.reason), asked=question)
    except LobbyError as error:
        return Play(lines[:-1], problem=str(error), asked=question)
    if played.failed:
        return Play(lines[:-1], problem=words.said(played.reason), asked=question)
    said = played.text or _("(gives it to people)")
    return Play([*lines, (ASSISTANT, line(said))][-MOST_LINES:], played)


def _lines() -> list[tuple[str, str]]:
    """Return what was said before, as the form has it."""
    given = zip(request.form.getlist("by"), request.form.getlist("line"), strict=False)
    found = [(by, line(text)) for by, text in given if by in {CUSTOMER, ASSISTANT}]
    return [one for one in found if one[1]][-MOST_LINES:]


def page_of(tab: str) -> tuple[str, Page]:
    """Return the section a question was asked beside, and what draws it; else the playground's own."""
    known: Mapping[str, Page] = PAGES
    return (tab, known[tab]) if tab in known else ("playground", known["playground"])
