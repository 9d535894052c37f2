"""Try an assistant without sending or storing anything, in the playground and for its cases."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec
from sqlalchemy.orm import Session

from host.assistants import assistants, context, results, turn_worker, words
from host.assistants import tools as tool_calls
from host.assistants.context import Context
from host.assistants.knowledge import cases, retrieval
from host.assistants.language import asking
from host.assistants.language import language_models as models
from host.assistants.models import AssistantAccount, Mode
from host.assistants.results import TurnResult
from host.assistants.values import (
    Ask,
    Body,
    Cited,
    ModelError,
    ModelSetting,
    Thinker,
    ToolOffer,
    Topic,
    TranscriptLine,
)
from host.automation import handover_phrases, texts
from host.core import clock, db
from host.core.cleaning import clean
from host.core.ports import AssistantDirectory
from host.inbox.reply import policy_for
from host.models.channels import ChannelAccount
from host.models.channels import ref as account_ref
from host.models.users import Workspace
from host.sdk.channel import ChannelAdapter, ReplyState
from host.users.actor import DESK, UnitOfWork

WHO = "Ana Q. @ana.sample"
"""Name of the customer in the playground."""
CUSTOMER, ASSISTANT = "customer", "assistant"
MOST_LINES = 10
LONGEST_LINE = 1_000
"""Longest message in characters."""
SECONDS = 20.0
"""Time after which no further case is started; the remaining ones are tried next time."""


class PlaygroundAccount(msgspec.Struct, frozen=True):
    """The account an assistant is tried on: its channel decides what may be sent, and adds tools."""

    account_id: int
    directory: AssistantDirectory


class AnswerDelivery(msgspec.Struct, frozen=True):
    """How an answer would be delivered on the account.

    :param account: name of the account.
    :param to_person: whether this answer would have the button *Talk to a person*.
    :param writes: whether it could be sent automatically if the customer had written now.
    :param until: end of the reply window; None if it could not be sent.
    :param handoff: what the customer is told if it hands off; empty for nothing.
    """

    account: str
    to_person: bool
    writes: bool
    until: datetime | None
    handoff: str = ""


class Played(msgspec.Struct, frozen=True):
    """The answer an assistant would give.

    :param hands_over: whether people would get the conversation; *reason* says why, a key of the reasons.
    :param failed: whether an error occurred, named in *reason*.
    :param calls: the tool calls.
    :param cost: in millionths of the model's currency.
    :param there: delivery on the account it was tried on; None without an account.
    """

    text: str = ""
    sources: Sequence[Cited] = ()
    hands_over: bool = False
    failed: bool = False
    reason: str = ""
    because: str = ""
    calls: Sequence[tool_calls.ToolUse] = ()
    offers: Sequence[Topic] = ()
    model: str = ""
    tokens_in: int = 0
    tokens_out: int = 0
    cost: int = 0
    took_ms: int = 0
    there: AnswerDelivery | None = None


class _Loaded(msgspec.Struct, frozen=True):
    name: str
    body: Body
    setting: ModelSetting | None
    about: Context
    topics: Sequence[Topic]
    language: str | None
    tools: tuple[ToolOffer, ...]
    runner: tool_calls.Runner
    there: AnswerDelivery | None


def play(
    workspace_id: int,
    assistant_id: int,
    lines: Sequence[tuple[str, str]],
    draft: Body | None = None,
    on: PlaygroundAccount | None = None,
    ask_model: Thinker | None = None,
) -> Played:
    """Return the answer an assistant would give.

    :param lines: messages, newest last: ``customer`` or ``assistant``, and the text.
    :param draft: an unsaved version; None for the current one.
    :param on: the account to try it on; None for none, and so without a channel's tools.
    :raises AssistantNotFoundError: if the workspace has no such assistant.
    :raises AccountNotThereError: if it has no such account, or that is disconnected.
    """
    began = clock.monotonic()
    with db.read() as session:
        loaded = _load(session, workspace_id, assistant_id, lines, draft, on, clock.now())
    made = _made(loaded, ask_model or asking.ask)
    return Played(
        text=made.text,
        sources=made.cited,
        hands_over=not made.text,
        failed=made.failed,
        reason=made.reason,
        because=made.because,
        calls=loaded.runner.uses,
        offers=made.offers,
        model=made.used.model,
        tokens_in=made.used.tokens_in,
        tokens_out=made.used.tokens_out,
        cost=made.cost,
        took_ms=round((clock.monotonic() - began) * 1000),
        there=loaded.there,
    )


def line(text: str) -> str:
    """Return a message of the playground on one line, truncated to the maximum length."""
    return clean(text).strip()[:LONGEST_LINE]


def try_cases(
    workspace_id: int, assistant_id: int, *, only: Sequence[int] | None = None, seconds: float = SECONDS
) -> tuple[list[cases.CaseResult], int]:
    """Ask the current version the questions of cases, and store the results.

    :param only: ids of the cases to try; None for those that are due.
    :param seconds: time after which no further case is started.
    :return: the results, and the number of cases left.
    :raises AssistantNotFoundError, CaseNotFoundError: if there is none.
    """
    with db.read() as session:
        row = assistants.get(session, workspace_id, assistant_id)
        if only is None:
            wanted = {one.id for one in cases.due(session, row)}
        else:
            wanted = {cases.get(session, workspace_id, assistant_id, one).id for one in only}

    def answer(question: str) -> tuple[str, bool]:
        played = play(workspace_id, assistant_id, [(CUSTOMER, question)], None)
        if played.failed:
            raise ModelError(played.reason)
        return played.text, played.hands_over or not played.text

    tried = cases.try_all(
        workspace_id, assistant_id, row.version, answer, only=sorted(wanted), seconds=seconds
    )
    return tried, len(wanted) - len(tried)


def _load(
    session: Session,
    workspace_id: int,
    assistant_id: int,
    lines: Sequence[tuple[str, str]],
    draft: Body | None,
    on: PlaygroundAccount | None,
    now: datetime,
) -> _Loaded:
    assistant = assistants.get(session, workspace_id, assistant_id)
    account = None if on is None else assistants.account_of(session, workspace_id, on.account_id)
    body = draft or assistants.body_of(session, assistant) or Body()
    workspace = session.get_one(Workspace, workspace_id)
    said = [TranscriptLine(by, text, now) for by, text in lines]
    last = max((at for at, one in enumerate(said) if one.by != "customer"), default=-1)
    asked = said[last + 1 :]
    question = "\n".join(one.text for one in asked)
    sources, origins = context.sources_for(session, workspace_id, None, assistant_id, question, now)
    about = Context(
        lines=said,
        question=question,
        messages=len(asked),
        asks_for_person=any(handover_phrases.is_asked(one.text) for one in asked[-1:]),
        said_before=[one.text for one in said if one.by == "assistant"],
        sources=sources,
        owners=origins,
        who=WHO,
        team=workspace.name if account is None else f"{workspace.name}, {account.name or account.handle}",
        now_text=context.time_text(now, workspace),
    )
    setting = None if assistant.model_id is None else models.setting_of(session, assistant.model_id)
    topics = retrieval.topics(session, assistant_id, question, most=3) if setting is None else ()
    there, brought = None, None
    if account is not None and on is not None:
        adapter = on.directory.adapter(account.channel)
        brought = tool_calls.brought_for(on.directory, account.channel)
        topics = turn_worker.may_offer(topics, adapter)
        there = _there(session, assistant_id, account, adapter, bool(topics), body, now)
    tools = tuple(tool_calls.offers(session, assistant_id, body, brought))
    # Without a turn, only tools that read are run, and nothing is stored.
    runner = tool_calls.Runner(
        workspace_id,
        assistant_id,
        tools,
        assistant.name,
        first_number=len(sources) + 1,
        brought=brought or {},
        account_id=None if account is None else account.id,
    )
    return _Loaded(assistant.name, body, setting, about, topics, workspace.language, tools, runner, there)


def _there(
    session: Session,
    assistant_id: int,
    account: ChannelAccount,
    adapter: ChannelAdapter | None,
    offers: bool,
    body: Body,
    now: datetime,
) -> AnswerDelivery:
    place = session.get(AssistantAccount, account.id)
    name = account.handle or account.name
    if adapter is None:
        return AnswerDelivery(name, False, False, None)
    answers = place is not None and place.assistant_id == assistant_id and place.mode == Mode.ANSWER
    can = adapter.capabilities
    taps = can.quick_replies is not None and not can.public
    policy = policy_for(adapter, account_ref(account), now, now, by_person=False)
    writes = policy.state not in {ReplyState.CLOSED, ReplyState.PEOPLE_ONLY}
    until = policy.until if writes else None
    work = UnitOfWork(session, account.workspace_id, DESK, now)
    told = results.handoff(work, body, account.id, adapter) if writes else ""
    return AnswerDelivery(name, taps and (answers or offers), writes, until, told)


def _made(loaded: _Loaded, ask_model: Thinker) -> TurnResult:
    if loaded.about.asks_for_person:
        return TurnResult(reason="asked_for_person")
    if loaded.setting is None:
        if not loaded.topics:
            return TurnResult(reason="no_topics")
        return TurnResult(text=texts.in_language(words.WHICH, loaded.language), offers=loaded.topics)
    body = loaded.body
    ask = Ask(
        context.instructions(loaded.name, body, loaded.about),
        loaded.about.lines,
        loaded.tools,
        float(body.limits.seconds),
        turn_worker.MOST_TOKENS,
        body.limits.calls,
    )
    return turn_worker.answered(loaded.setting, ask, loaded.about, body, loaded.runner, ask_model)
