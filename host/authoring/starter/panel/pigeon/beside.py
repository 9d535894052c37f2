"""The panel beside a conversation, and the button in the composer."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from host.sdk import settings
from host.sdk.i18n import gettext as _
from host.sdk.i18n import noop
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
)

from . import people


def render(customer: CustomerContext) -> Sequence[Block]:
    """Show who the customer is at Pigeon; nothing if it does not know them."""
    try:
        person = people.find(customer.workspace_id, customer.email) if customer.email else None
    except people.UnavailableError as problem:
        return [Paragraph(str(problem))]
    if person is None:
        return []
    page = f"https://pigeon.example/people/{quote(person.id, safe='')}"
    return [
        Entry(person.plan, url=page, buttons=[Button(_("Insert"), "insert", person.plan)]),
        Facts([(_("City"), person.city)]),
    ]


def press(customer: CustomerContext, name: str, value: str) -> InsertText | ShowNotice:
    """Insert the plan whose button was pressed."""
    return InsertText(_("You are on the plan %(plan)s.", plan=value))


def insert_offer(customer: CustomerContext) -> InsertText | ShowNotice:
    """Insert the customer's plan and the workspace's offer, or say why not."""
    if not customer.email:
        return ShowNotice(_("The customer's email address is not known."))
    try:
        person = people.find(customer.workspace_id, customer.email)
    except people.UnavailableError as problem:
        return ShowNotice(str(problem))
    if person is None:
        return ShowNotice(_("Pigeon does not know this customer."))
    offer = settings.workspace("pigeon", customer.workspace_id)["offer"]
    return InsertText(f"{_('You are on the plan %(plan)s.', plan=person.plan)} {offer}")


PANEL = Panel("pigeon.person", noop("Pigeon"), render, press=press)
ACTION = ComposerAction("pigeon.offer", noop("Insert plan"), insert_offer, Icon.TAG)
