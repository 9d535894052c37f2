"""What rules and assistants of a workspace may ask and do on the toy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from host.sdk.rules import (
    AskedAbout,
    AssistantTool,
    React,
    RuleAction,
    RuleCondition,
    SendText,
    ToolEffect,
    UsedFor,
)

SIZES = (("40", "40 letters or more"), ("400", "400 letters or more"))


def is_long(about: AskedAbout, value: str) -> bool:
    return value.isdigit() and len(about.text) >= int(value)


def thank(about: AskedAbout) -> React | SendText | None:
    """Thank for a text; there is nothing to thank for in anything else."""
    return SendText("Thank you!") if about.kind == "text" else None


def opened(about: UsedFor, arguments: Mapping[str, Any]) -> str:
    """Say when the shop opens on a day."""
    return f"On {arguments['day']} the shop opens at nine."


def wave(about: UsedFor, arguments: Mapping[str, Any]) -> str:
    """Wave at the customer, once for each key."""
    return f"Waved at {about.username or about.contact}."


DAY = {"type": "object", "properties": {"day": {"type": "string", "maxLength": 20}}, "required": ["day"]}
NOTHING = {"type": "object", "properties": {}, "additionalProperties": False}

CONDITIONS = [RuleCondition("toy.long", "toy", "they wrote", is_long, SIZES)]
ACTIONS = [RuleAction("toy.thank", "toy", "say thank you", thank)]
TOOLS = [
    AssistantTool("toy.opens", "toy", "Opening times", "When they ask when the shop opens.", DAY, opened),
    AssistantTool("toy.wave", "toy", "Wave", "When they say goodbye.", NOTHING, wave, ToolEffect.ASKS),
]
