"""Assistants as tests make them, with turns of every kind."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from host.assistants import assistants
from host.assistants.models import Assistant, AssistantTurn, LanguageModel, Mode, TurnState
from host.automation.deciding import Sent
from host.core import clock, db
from host.events.models import ActorKind
from host.users.actor import Actor
from tests.assistants import making
from tests.automation.automated import Automated
from tests.helpers import do

ANN = Actor(ActorKind.SYSTEM, person="Ann")
OLU = Actor(ActorKind.SYSTEM, person="Olu O.")


def made(desk: Automated, name: str = "Shop desk") -> int:
    """Add an assistant and return its id."""

    return do(assistants.create, desk.desk.workspace, name=name, actor=ANN).id


def put(desk: Automated, assistant: int, mode: Mode = Mode.SUGGEST, **more: Any) -> assistants.ModeChange:
    """Choose what an assistant does on the desk's account, or on *account_id*."""
    values: dict[str, Any] = {
        "workspace": desk.desk.workspace,
        "assistant_id": assistant,
        "account_id": desk.desk.account.id,
        "mode": mode,
        "answers_on": [Sent.MESSAGE],
        "needed": 10,
        "actor": ANN,
    }
    return do(assistants.set_mode, **{**values, **more})


class Turns:
    """Writes turns of an assistant, each for a message of its own."""

    def __init__(self, desk: Automated, assistant: int) -> None:
        self.desk, self.assistant, self.number = desk, assistant, 0

    def add(
        self, state: TurnState = TurnState.SENT, at: datetime | None = None, contact: str = "ana", **more: Any
    ) -> int:
        """Add a turn and return its id; *contact* has written before."""
        self.number += 1
        about: dict[str, Any] = {
            "workspace_id": self.desk.desk.workspace,
            "assistant_id": self.assistant,
            "account_id": self.desk.desk.account.id,
            "conversation_id": self.desk.scene.conversation(contact),
            "message_id": 1_000_000 + self.number,
            "state": state,
            "text": "Four to six days.",
        }
        return making.store_turn(at or clock.now(), **{**about, **more})


def model(desk: Automated, **more: Any) -> int:
    """Add a language model and return its id."""
    values: dict[str, Any] = {
        "uuid": f"model-{more.get('name', 'local')}",
        "workspace_id": desk.desk.workspace,
        "name": "Ours",
        "speaks": "openai",
        "address": "https://models.pottery.example/v1",
        "model": "local-large",
        "price_in": 0,
        "price_out": 0,
        "currency": "USD",
        "created_at": clock.now(),
    }

    def use_case(session: Session) -> int:
        row = LanguageModel(**{**values, **more})
        session.add(row)
        session.flush()
        return row.id

    return db.write(use_case)


def assistant(id_: int) -> Assistant:
    """Return an assistant as it is kept."""
    with db.read() as session:
        return session.get_one(Assistant, id_)


def turn(id_: int) -> AssistantTurn:
    """Return a turn as it is kept."""
    with db.read() as session:
        return session.get_one(AssistantTurn, id_)
