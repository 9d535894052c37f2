"""The playground: its conversation exists only in its form, and nothing is sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from flask import request
from flask.typing import ResponseReturnValue

from host.assistants import assistants, trials, words
from host.assistants.trials import ASSISTANT, CUSTOMER, MOST_LINES, Played, PlaygroundAccount, line
from host.assistants.values import Body, ModelError
from host.assistants.verdicts import AnswerPart, in_parts
from host.channels.directory import current_directory
from host.core import clock, db
from host.core.backports.values import replace
from host.core.errors import LobbyError
from host.features import registry
from host.features.message_trial import TrialStep
from host.inbox.apply.opt_out_words import word_in
from host.users import reach
from host.users.reach import Choice
from host.web import account_picker
from host.web.languages import gettext as _
from host.web.request_helpers import form_number, seen_accounts

Page = Callable[..., ResponseReturnValue]
PAGES: dict[str, Page] = {}
"""Function that renders a page with the playground, by the name of its section."""


def register(tab: str, page: Page) -> None:
    """Register *page* to render the section *tab* with the playground next to it."""
    PAGES[tab] = page


@dataclass(frozen=True, slots=True)
class Play:
    """The conversation in the playground.

    :param lines: author and text of each message, newest last.
    :param played: result of the last question; None if none was asked.
    :param problem: why there was no answer.
    :param asked: the question without an answer, to be asked again.
    :param again: address to start again; empty if nothing was asked.
    :param account: id of the account it is tried on; 0 for none.
    :param steps: what looks at the question before the assistant, on that account.
    """

    lines: Sequence[tuple[str, str]] = field(default=())
    played: Played | None = None
    problem: str = ""
    asked: str = ""
    again: str = ""
    account: int = 0
    steps: Sequence[TrialStep] = ()

    @property
    def question(self) -> str:
        """The customer's last message."""
        return next((text for by, text in reversed(self.lines) if by == CUSTOMER), "")

    @property
    def before(self) -> Sequence[tuple[str, str]]:
        """The messages before the last answer, which is shown in full detail."""
        if self.played is not None and self.lines and self.lines[-1][0] == ASSISTANT:
            return self.lines[:-1]
        return self.lines

    @property
    def parts(self) -> Sequence[AnswerPart]:
        """The last answer with the sources it cites."""
        return () if self.played is None else in_parts(self.played.text, self.played.sources)

    @property
    def why(self) -> str:
        """Why the conversation would be handed to people, in words."""
        return "" if self.played is None else words.said(self.played.reason)

    @property
    def lacks_source(self) -> bool:
        """Whether an answer to the question could be added to what the assistant knows."""
        return self.played is not None and self.played.reason in _WITHOUT_SOURCE


_WITHOUT_SOURCE = frozenset({"no_source", "no_topics", "doubt"})
"""Reasons for handing off that another entry of knowledge could remove."""


def accounts(workspace_id: int, assistant_id: int) -> list[Choice]:
    """Return the accounts an assistant can be tried on, those first where it is not off. Two statements."""
    seen = seen_accounts()
    with db.read() as session:
        places = assistants.places(session, workspace_id)
        found = [one for one in reach.choices(session, workspace_id) if one.connected]
    mine = assistants.at_work(places, assistant_id)
    shown = [one for one in found if seen is None or one.id in seen]
    return sorted(shown, key=lambda one: one.id not in mine)


def _chosen(workspace_id: int, assistant_id: int) -> int:
    """Return the account in the form, or the first one; 0 if there is none."""
    ids = [one.id for one in accounts(workspace_id, assistant_id)]
    named = form_number("account")
    return named if named in ids else next(iter(ids), 0)


def asked(workspace_id: int, assistant_id: int, draft: Body | None) -> Play:
    """Return an assistant's answer to the form's question. Nothing is written meanwhile.

    :param draft: an unsaved version; None for the current one.
    """
    chosen = _chosen(workspace_id, assistant_id)
    play = _asked(workspace_id, assistant_id, draft, chosen)
    steps = _steps(workspace_id, chosen, play.question) if chosen and play.played is not None else ()
    return replace(play, account=chosen, steps=steps)


def _steps(workspace_id: int, account_id: int, question: str) -> list[TrialStep]:
    """Return what looks at a question on an account before the assistant does."""
    stop = word_in(question) is not None
    steps = [TrialStep("ban", _("Words like STOP"), stop, _("stops automatic messages") if stop else "")]
    with db.read() as session:
        for found in registry.hooks().tried_message(
            session=session,
            workspace_id=workspace_id,
            account_id=account_id,
            text=question,
            directory=current_directory(),
            now=clock.now(),
        ):
            steps += found
    return steps


def _asked(workspace_id: int, assistant_id: int, draft: Body | None, account_id: int) -> Play:
    lines = _lines()
    question = line(request.form.get("ask", ""))
    if not question or account_picker.is_looking():
        return Play(lines, asked=question)
    on = PlaygroundAccount(account_id, current_directory()) if account_id else None
    lines = [*lines, (CUSTOMER, question)][-MOST_LINES:]
    try:
        played = trials.play(workspace_id, assistant_id, lines, draft, on)
    except ModelError as error:
        return Play(lines[:-1], problem=words.said(error.reason), asked=question)
    except LobbyError as error:
        return Play(lines[:-1], problem=str(error), asked=question)
    if played.failed:
        return Play(lines[:-1], problem=words.said(played.reason), asked=question)
    said = played.text or _("(hands off to the team)")
    return Play([*lines, (ASSISTANT, line(said))][-MOST_LINES:], played)


def _lines() -> list[tuple[str, str]]:
    """Return the earlier messages from the form."""
    given = zip(request.form.getlist("by"), request.form.getlist("line"), strict=False)
    found = [(by, line(text)) for by, text in given if by in {CUSTOMER, ASSISTANT}]
    return [one for one in found if one[1]][-MOST_LINES:]


def page_of(tab: str) -> tuple[str, Page]:
    """Return the section next to which a question was asked and its renderer; by default the playground."""
    known: Mapping[str, Page] = PAGES
    return (tab, known[tab]) if tab in known else ("playground", known["playground"])
