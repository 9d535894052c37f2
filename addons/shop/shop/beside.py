"""The panel of a customer's orders, and the composer's button that inserts the newest."""

from __future__ import annotations

from collections.abc import Sequence

from host.sdk.i18n import format_date, gettext, lazy_gettext, noop
from host.sdk.panels import (
    Block,
    Button,
    ComposerAction,
    CustomerContext,
    Entry,
    Icon,
    InsertText,
    Panel,
    Paragraph,
    ShowNotice,
    Tone,
)

from .shops import NotSetUpError, shop_of
from .woocommerce import Order, ShopError, edit_url, orders_of

STATUSES = {
    "pending": (lazy_gettext("Waiting for payment"), Tone.WARN),
    "on-hold": (lazy_gettext("On hold"), Tone.WARN),
    "processing": (lazy_gettext("In progress"), Tone.GOOD),
    "completed": (lazy_gettext("Completed"), Tone.NEUTRAL),
    "cancelled": (lazy_gettext("Cancelled"), Tone.NEUTRAL),
    "refunded": (lazy_gettext("Refunded"), Tone.NEUTRAL),
    "failed": (lazy_gettext("Payment failed"), Tone.BAD),
}
"""The label and colour of each status of WooCommerce. Extensions have others, which are shown as they are."""


def render(customer: CustomerContext) -> Sequence[Block]:
    """Return the customer's newest orders, or why there are none."""
    if problem := _missing(customer):
        return [Paragraph(problem)]
    try:
        shop = shop_of(customer.workspace_id)
        orders = orders_of(shop, customer.email or "")
    except (NotSetUpError, ShopError) as error:
        return [Paragraph(_why(error))]
    return [_entry(one, edit_url(shop, one)) for one in orders]


def press(customer: CustomerContext, name: str, value: str) -> InsertText | ShowNotice:
    """Insert the order with the id *value* into the reply."""
    return _insert(customer, int(value) if value.isdecimal() and len(value) < 20 else None)


def insert_newest(customer: CustomerContext) -> InsertText | ShowNotice:
    """Insert the newest order into the reply."""
    return _insert(customer, None)


def _insert(customer: CustomerContext, order_id: int | None) -> InsertText | ShowNotice:
    if problem := _missing(customer):
        return ShowNotice(problem)
    try:
        orders = orders_of(shop_of(customer.workspace_id), customer.email or "")
    except (NotSetUpError, ShopError) as error:
        return ShowNotice(_why(error))
    # Looked up among the customer's own orders: the id comes from the page.
    wanted = [one for one in orders if order_id in {None, one.id}]
    if not wanted:
        return ShowNotice(gettext("This customer has no order."))
    return InsertText(sentence(wanted[0]))


def sentence(order: Order) -> str:
    """Return an order in a sentence to the customer."""
    items = ", ".join(f"{quantity} × {name}" for quantity, name in order.items)
    text: str = gettext(
        "Order %(number)s (%(items)s): %(status)s.", number=order.number, items=items, status=label(order)
    )
    return f"{text} {order.pay_url}" if order.pay_url else text


def label(order: Order) -> str:
    """Return the status of an order in the reader's language."""
    return str(STATUSES[order.status][0]) if order.status in STATUSES else order.status


def _entry(order: Order, url: str) -> Entry:
    items = ", ".join(f"{quantity} × {name}" for quantity, name in order.items)
    day = "" if order.created_at is None else format_date(order.created_at)
    return Entry(
        title=gettext("Order %(number)s", number=order.number),
        detail=" · ".join(filter(None, (day, order.sum, items))),
        badge=label(order),
        tone=STATUSES[order.status][1] if order.status in STATUSES else Tone.NEUTRAL,
        url=url,
        buttons=[Button(gettext("Insert into reply"), "insert", str(order.id))],
    )


def _missing(customer: CustomerContext) -> str:
    if customer.email:
        return ""
    return str(gettext("Orders are found by email address. Add the customer's under Details."))


def _why(error: Exception) -> str:
    if isinstance(error, NotSetUpError):
        return str(gettext("The shop is not set up yet."))
    if isinstance(error, ShopError) and error.refused:
        return str(gettext("The shop refused the key. Check it in the settings of the addon."))
    return str(gettext("The shop could not be reached: %(reason)s.", reason=error))


PANEL = Panel("shop.orders", noop("Orders"), render, press=press, seconds=9.0)
ACTION = ComposerAction("shop.insert", noop("Insert newest order"), insert_newest, Icon.BAG, seconds=9.0)
