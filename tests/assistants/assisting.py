"""A desk whose account has an assistant, run step by step, with a model that says what a test wants."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from typing import Any
from unittest import mock

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.assistants import context, turn_worker
from host.assistants.language import language_models
from host.assistants.models import (
    Assistant,
    AssistantAccount,
    AssistantCall,
    AssistantTurn,
    AssistantVersion,
    LanguageModel,
    Mode,
    TurnState,
)
from host.assistants.values import (
    Ask,
    Body,
    CallTool,
    ModelAnswer,
    ModelError,
    ModelSetting,
    ModelUsage,
    Source,
    Speaks,
    Thought,
)
from host.core import clock, db
from host.inbox import outcome
from host.models.inbox import Conversation, Direction, Handler, InternalKind, Message
from tests.automation.automated import Automated
from tests.inbox.desks import Desk

SHIPPING = Source(1, "Shipping to the Nordics", "To Norway it takes 4 to 6 days and costs 14 €.", entry_id=7)
ANSWER = ModelAnswer("To Norway it takes 4 to 6 days and costs 14 €.", (1,))
SETTING = ModelSetting(Speaks.OPENAI, "https://models.example", "local-large", price_in=1_000_000)
MESSAGES = ["message", "story_reply", "tap"]


class Model:
    """Says what it is told to, and notes what it was asked."""

    def __init__(self) -> None:
        self.says: ModelAnswer | ModelError | Callable[[Ask, CallTool], ModelAnswer] = ANSWER
        self.asked: list[Ask] = []
        self.meanwhile: Callable[[], object] = lambda: None

    def __call__(self, setting: ModelSetting, ask: Ask, call: CallTool, /) -> Thought:
        self.asked.append(ask)
        self.meanwhile()
        if isinstance(self.says, ModelError):
            raise self.says
        said = self.says(ask, call) if callable(self.says) else self.says
        return Thought(said, ModelUsage("local-large", 1000, 50))


class Assisted(Automated):
    """A desk with an assistant named *Shop desk*."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self.model = Model()
        self.sources: Sequence[Source] = (SHIPPING,)
        self.assistant = 0
        self.threads = False
        """Whether several threads work on it."""
        self.time = ExitStack()
        """What time went by; it is to be closed."""

    def attach(self, mode: Mode = Mode.SUGGEST, *, model: bool = True, **body: Any) -> int:
        """Give the account an assistant and return its id."""

        def use_case(session: Session) -> int:
            kept = None
            if model:
                kept = LanguageModel(
                    uuid="00000000-0000-4000-8000-000000000001",
                    workspace_id=self.desk.workspace,
                    name="Large",
                    speaks="openai",
                    address="https://models.example",
                    model="local-large",
                    price_in=0,
                    price_out=0,
                    currency="USD",
                    created_at=clock.now(),
                )
                session.add(kept)
                session.flush()
            assistant = Assistant(
                workspace_id=self.desk.workspace,
                name="Shop desk",
                version=1,
                model_id=None if kept is None else kept.id,
                created_at=clock.now(),
            )
            session.add(assistant)
            session.flush()
            self._version(session, assistant.id, 1, body)
            session.add(
                AssistantAccount(
                    account_id=self.desk.account.id,
                    workspace_id=self.desk.workspace,
                    assistant_id=assistant.id,
                    mode=mode,
                    answers_on=MESSAGES,
                    needed=50,
                    changed_at=clock.now(),
                )
            )
            return assistant.id

        self.assistant = db.write(use_case)
        return self.assistant

    @contextmanager
    def until_closed(self) -> Iterator[Assisted]:
        before = clock._offset
        try:
            with self.time:
                yield self
        finally:
            clock._offset = before  # a test may have let time go by while it travelled

    def _version(self, session: Session, assistant_id: int, number: int, body: Mapping[str, Any]) -> None:
        kept = msgspec.to_builtins(msgspec.structs.replace(Body(), **body))
        session.add(
            AssistantVersion(
                assistant_id=assistant_id, number=number, body=kept, author="Mia R.", at=clock.now()
            )
        )

    def change(self, **values: Any) -> None:
        """Change the row of the account's assistant, such as its mode."""

        def use_case(session: Session) -> None:
            row = session.get_one(AssistantAccount, self.desk.account.id)
            for name, value in values.items():
                setattr(row, name, value)

        db.write(use_case)

    def stop(self, stopped: bool = True) -> None:
        def use_case(session: Session) -> None:
            assistant = session.get_one(Assistant, self.assistant)
            assistant.stopped_at = clock.now() if stopped else None

        db.write(use_case)

    def answered(self, contact: str = "ana", text: str = "Yes.") -> int:
        """Have a person answer, and the provider take it; return the id of the message."""
        (message,) = self.scene.reply(contact, text, clock.now())
        db.write(outcome.record_sent, message, f"sent-{message}")
        return message

    def leave_to_automation(self, contact: str = "ana") -> None:
        """Have automation handle a conversation, as another program that answers does."""

        def use_case(session: Session) -> None:
            conversation = session.get_one(Conversation, self.scene.conversation(contact))
            conversation.handled_by = Handler.AUTOMATION

        db.write(use_case)

    def due(self) -> list[int]:
        """Return the ids of the turns that are to be thought about now."""
        with db.read() as session:
            return [id_ for id_, _workspace in turn_worker._due(session, clock.now(), [], 100)]

    def think(self, *, after: float = 10.0) -> list[TurnState | None]:
        """Read the record, let the customer pause for *after* seconds, and think about what is due."""
        self.read()
        self.time.enter_context(clock.travel(timedelta(seconds=after)))
        return [self.think_about(id_) for id_ in self.due()]

    def think_about(self, turn_id: int) -> TurnState | None:
        with self.knowing():
            return turn_worker.think(turn_id, self.desk.generation.directory, self.model)

    def knowing(self) -> Any:
        """Let the assistant know :attr:`sources`, and reach its model."""
        patches = mock.patch.multiple(context.retrieval, matching=lambda *_a, **_k: list(self.sources))
        reached = mock.patch.object(language_models, "setting_of", return_value=SETTING)
        return _Both(patches, reached)

    def turns(self) -> list[AssistantTurn]:
        with db.read() as session:
            return list(session.scalars(sa.select(AssistantTurn).order_by(AssistantTurn.id)))

    def states(self) -> list[tuple[str, str | None]]:
        return [(one.state, one.reason) for one in self.turns()]

    def handled_by(self, contact: str = "ana") -> str:
        with db.read() as session:
            return session.get_one(Conversation, self.scene.conversation(contact)).handled_by

    def status(self, contact: str = "ana") -> str:
        with db.read() as session:
            return session.get_one(Conversation, self.scene.conversation(contact)).status

    def calls(self) -> list[tuple[str, str]]:
        with db.read() as session:
            query = sa.select(AssistantCall).order_by(AssistantCall.id)
            return [(one.tool, one.state) for one in session.scalars(query)]

    def activities(self, contact: str = "ana") -> list[dict[str, Any]]:
        return [one.content for one in self._internal(contact) if one.kind == InternalKind.ACTIVITY]

    def notes(self, contact: str = "ana") -> list[str]:
        return [one.text for one in self._internal(contact) if one.kind == InternalKind.NOTE]

    def _internal(self, contact: str) -> list[Message]:
        with db.read() as session:
            query = sa.select(Message).where(
                Message.conversation_id == self.scene.conversation(contact),
                Message.direction == Direction.INTERNAL,
            )
            return list(session.scalars(query.order_by(Message.id)))

    def texts(self, contact: str = "ana") -> list[str]:
        """Return what went out to somebody, whoever wrote it."""
        with db.read() as session:
            query = sa.select(Message.text).where(
                Message.conversation_id == self.scene.conversation(contact),
                Message.direction == Direction.OUTBOUND,
            )
            return list(session.scalars(query.order_by(Message.id)))

    def contents(self, contact: str = "ana") -> list[dict[str, Any]]:
        """Return what goes along with what was said by itself to somebody."""
        with db.read() as session:
            query = sa.select(Message.content).where(
                Message.conversation_id == self.scene.conversation(contact),
                Message.direction == Direction.OUTBOUND,
            )
            return list(session.scalars(query.order_by(Message.id)))


class _Both:
    def __init__(self, *patches: Any) -> None:
        self._patches = patches

    def __enter__(self) -> None:
        for one in self._patches:
            one.__enter__()

    def __exit__(self, *error: Any) -> None:
        for one in self._patches:
            one.__exit__(*error)
