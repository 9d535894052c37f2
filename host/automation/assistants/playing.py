"""Try an assistant: what it would answer, with nothing sent and nothing kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from host.automation.assistants import asked_for, context, keeping, thinking, words
from host.automation.assistants import tools as tool_calls
from host.automation.assistants.context import Context
from host.automation.assistants.knowing import knowledge
from host.automation.assistants.language import asking
from host.automation.assistants.language import language_models as models
from host.automation.assistants.values import Ask, Body, Cited, Line, ModelSetting, Thinker, ToolOffer, Topic
from host.automation.assistants.writing import Made
from host.core import clock, db
from host.models.users import Workspace

WHO = "Ana Q. @ana.sample"
"""Who asks in the playground."""


@dataclass(frozen=True, slots=True)
class Played:
    """What an assistant would answer.

    :param hands_over: whether people would get it; *reason* says why, a key of the reasons.
    :param cost: in millionths of the model's currency.
    """

    text: str = ""
    sources: Sequence[Cited] = ()
    hands_over: bool = False
    reason: str = ""
    because: str = ""
    calls: Sequence[Mapping[str, Any]] = ()
    offers: Sequence[Topic] = ()
    model: str = ""
    tokens_in: int = 0
    tokens_out: int = 0
    cost: int = 0
    took_ms: int = 0


@dataclass(frozen=True, slots=True)
class _Loaded:
    name: str
    body: Body
    setting: ModelSetting | None
    about: Context
    topics: Sequence[Topic]
    language: str | None
    tools: tuple[ToolOffer, ...]
    runner: tool_calls.Runner


def play(
    workspace_id: int,
    assistant_id: int,
    lines: Sequence[tuple[str, str]],
    draft: Body | None = None,
    ask_model: Thinker | None = None,
) -> Played:
    """Return what an assistant would answer.

    :param lines: what was said, the newest last: ``customer`` or ``assistant``, and the words.
    :param draft: a version that is not saved; None: the one that holds.
    :raises AssistantNotFoundError: if the workspace has no such assistant.
    """
    began = clock.monotonic()
    with db.read() as session:
        loaded = _load(session, workspace_id, assistant_id, lines, draft, clock.now())
    made = _made(loaded, ask_model or asking.ask)
    return Played(
        text=made.text,
        sources=made.cited,
        hands_over=not made.text,
        reason=made.reason,
        because=made.because,
        offers=made.offers,
        model=made.used.model,
        tokens_in=made.used.tokens_in,
        tokens_out=made.used.tokens_out,
        cost=made.cost,
        took_ms=round((clock.monotonic() - began) * 1000),
    )


def _load(
    session: Session,
    workspace_id: int,
    assistant_id: int,
    lines: Sequence[tuple[str, str]],
    draft: Body | None,
    now: datetime,
) -> _Loaded:
    assistant = keeping.get(session, workspace_id, assistant_id)
    body = draft or keeping.body_of(session, assistant) or Body()
    workspace = session.get_one(Workspace, workspace_id)
    said = [Line(by, text, now) for by, text in lines]
    last = max((at for at, one in enumerate(said) if one.by != "customer"), default=-1)
    asked = said[last + 1 :]
    question = "\n".join(one.text for one in asked)
    sources, origins = context.sources_for(session, workspace_id, None, assistant_id, question, now)
    about = Context(
        lines=said,
        question=question,
        messages=len(asked),
        asks_for_person=any(asked_for.is_asked(one.text) for one in asked[-1:]),
        said_before=[one.text for one in said if one.by == "assistant"],
        sources=sources,
        owners=origins,
        who=WHO,
        team=workspace.name,
        now_text=context.time_text(now, workspace),
    )
    setting = None if assistant.model_id is None else models.setting_of(session, assistant.model_id)
    topics = knowledge.topics(session, assistant_id, question, most=3) if setting is None else ()
    tools = tuple(tool_calls.offers(session, assistant_id, body))
    # Without a turn only what reads is done, and nothing of it is noted.
    runner = tool_calls.Runner(
        workspace_id, assistant_id, tools, assistant.name, first_number=len(sources) + 1
    )
    return _Loaded(assistant.name, body, setting, about, topics, workspace.language, tools, runner)


def _made(loaded: _Loaded, ask_model: Thinker) -> Made:
    if loaded.about.asks_for_person:
        return Made(reason="asked_for_person")
    if loaded.setting is None:
        if not loaded.topics:
            return Made(reason="no_topics")
        return Made(text=words.in_language(words.WHICH, loaded.language), offers=loaded.topics)
    body = loaded.body
    ask = Ask(
        context.instructions(loaded.name, body, loaded.about),
        loaded.about.lines,
        loaded.tools,
        float(body.limits.seconds),
        thinking.MOST_TOKENS,
        body.limits.calls,
    )
    return thinking.answered(loaded.setting, ask, loaded.about, body, loaded.runner, ask_model)
