"""Panels of the toy beside conversations, and its button in the composer."""

from __future__ import annotations

from collections.abc import Sequence

from host.sdk.i18n import gettext
from host.sdk.panels import (
    Block,
    Button,
    ComposerAction,
    CustomerContext,
    Entry,
    Facts,
    Icon,
    InsertText,
    Panel,
    Paragraph,
    ShowNotice,
    Tone,
)


def render(customer: CustomerContext) -> Sequence[Block]:
    """Show who the customer is, and one thing they own."""
    reached = ", ".join(f"{one.channel}: {one.external_id}" for one in customer.identities)
    return [
        Facts([(gettext("Name"), customer.name), ("Reached at", reached)]),
        Entry(
            "Order 1001",
            detail="2 cups",
            badge="paid",
            tone=Tone.GOOD,
            url="https://toy.example/orders/1001",
            buttons=[Button("Insert", "insert", "1001"), Button("Count", "count")],
        ),
        Paragraph("See https://toy.example/help for more."),
    ]


def press(customer: CustomerContext, name: str, value: str) -> InsertText | ShowNotice:
    """Insert an order, or count it."""
    if name == "insert":
        return InsertText(f"Your order {value} is on its way.")
    return ShowNotice("Counted.", reload=True)


def insert_greeting(customer: CustomerContext) -> InsertText | ShowNotice:
    """Greet the customer by name."""
    return InsertText(f"Hello {customer.name}, ") if customer.name else ShowNotice("Their name is unknown.")


PANELS = [Panel("toy.things", "Things", render, press=press)]
COMPOSER_ACTIONS = [ComposerAction("toy.greet", "Greet by name", insert_greeting, Icon.USER)]
