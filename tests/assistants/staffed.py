"""A desk with an assistant, a customer who wrote, and a turn of theirs."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from host.assistants import program_tools
from host.assistants.models import (
    Assistant,
    AssistantCall,
    AssistantTool,
    TurnState,
)
from host.core import clock, db
from host.sdk.rules import ToolEffect
from tests.assistants import making
from tests.automation.automated import Automated
from tests.helpers import do
from tests.inbox import toys

SCHEMA = {
    "type": "object",
    "properties": {"number": {"type": "integer"}},
    "required": ["number"],
    "additionalProperties": False,
}


def make_assistant(workspace_id: int, name: str = "Pia", model_id: int | None = None) -> int:
    """Add an assistant and return its id."""

    def add(session: Session) -> int:
        row = Assistant(
            workspace_id=workspace_id, name=name, version=1, model_id=model_id, created_at=clock.now()
        )
        session.add(row)
        session.flush()
        return row.id

    return db.write(add)


def wanted_tool(url: str = "https://shop.example.com/orders", **more: Any) -> program_tools.ToolInput:
    values = {
        "name": "order",
        "title": "Order by number",
        "about": "When somebody asks where an order is.",
        "url": url,
        "parameters": SCHEMA,
        "header": "Authorization",
        "secret": "Bearer shop-secret-42",
        "effect": ToolEffect.READS,
    }
    return program_tools.ToolInput(**{**values, **more})


class Staffed:
    """An assistant of a desk, with a conversation."""

    def __init__(self, automated: Automated) -> None:
        self.automated = automated
        self.workspace = automated.desk.workspace
        self.assistant = make_assistant(self.workspace)
        automated.scene.said("ana.sample", "Ana Q.", "Where is my order 10482?", clock.now())
        self.conversation = automated.scene.conversation("ana.sample")
        self.turn = self.make_turn()

    def make_turn(self, message_id: int = 1) -> int:
        return making.store_turn(
            clock.now(),
            workspace_id=self.workspace,
            assistant_id=self.assistant,
            account_id=self.automated.desk.account.id,
            conversation_id=self.conversation,
            message_id=message_id,
            state=TurnState.THINKING,
        )

    def tool(self, url: str, **more: Any) -> AssistantTool:
        wanted = wanted_tool(url, **more)
        return do(program_tools.create, self.workspace, self.assistant, wanted)

    def calls(self) -> list[AssistantCall]:
        return sorted(toys.everything_of(AssistantCall), key=lambda one: (one.turn_id, one.number))


__all__ = ["Staffed", "make_assistant", "wanted_tool"]
