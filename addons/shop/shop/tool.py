"""The assistants' tool that looks up the customer's orders."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from host.sdk.i18n import noop
from host.sdk.rules import AssistantTool, ToolEffect, UsedFor

from .shops import shop_of
from .woocommerce import orders_of

NOTHING = {"type": "object", "properties": {}, "additionalProperties": False}


def look_up(about: UsedFor, arguments: Mapping[str, Any]) -> str:
    """Return the customer's newest orders as lines for a model."""
    if not about.email:
        return "The customer's email address is not known, so their orders cannot be found. Ask for it."
    orders = orders_of(shop_of(about.account.workspace_id), about.email)
    if not orders:
        return "There is no order with the customer's email address."
    return "\n".join(
        f"Order {one.number}, status {one.status}, {one.total} {one.currency}: "
        + ", ".join(f"{quantity} x {name}" for quantity, name in one.items)
        for one in orders
    )


TOOL = AssistantTool(
    "shop.orders",
    None,
    noop("Look up orders"),
    noop("When a customer asks about the status of an order, its items, or how to pay."),
    NOTHING,
    look_up,
    ToolEffect.READS,
)
