"""Orders from WooCommerce's REST API, version 3.

See https://woocommerce.github.io/woocommerce-rest-api-docs/#orders.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from host.sdk.errors import FetchError, ProviderError
from host.sdk.http import Client, Response

from .shops import Shop

API = "/wp-json/wc/v3"
MOST = 10
MAX_BYTES = 1024 * 1024
MAX_SEARCH = 100

OPEN = frozenset({"pending", "on-hold", "processing"})
"""The statuses of orders that the shop still has work with."""


class ShopError(ProviderError):
    """The shop could not be asked.

    :ivar refused: whether it refused the credentials.
    """

    def __init__(self, reason: str, *, refused: bool = False) -> None:
        super().__init__(reason)
        self.refused = refused


@dataclass(frozen=True, slots=True)
class Order:
    """An order.

    :param number: as customers know it.
    :param status: one of WooCommerce's, such as ``processing``, or of an extension.
    :param total: a decimal number in *currency*.
    :param items: quantity and name of each.
    :param email: the customer's, in lower case.
    :param pay_url: where the customer can pay; empty if nothing is to be paid.
    """

    id: int
    number: str
    status: str
    total: str
    currency: str
    created_at: datetime | None
    items: Sequence[tuple[int, str]]
    email: str
    pay_url: str

    @property
    def is_open(self) -> bool:
        return self.status in OPEN

    @property
    def sum(self) -> str:
        """The total with its currency."""
        return f"{self.total} {self.currency}".strip()


def orders_of(shop: Shop, email: str) -> list[Order]:
    """Return the newest orders with this e-mail address, at most :data:`MOST`.

    :raises ShopError: if the shop cannot be reached or refuses.
    """
    wanted = email.strip().lower()
    if not wanted or len(wanted) > MAX_SEARCH:
        return []
    found = _get(
        shop, "/orders", {"search": wanted, "per_page": str(MOST), "orderby": "date", "order": "desc"}
    )
    if not isinstance(found, list):
        raise ShopError("the answer is no list of orders")
    orders = [order for one in found if (order := parsed(one)) is not None]
    # The search also finds the address elsewhere in an order, such as in a note.
    return [one for one in orders if one.email == wanted]


def edit_url(shop: Shop, order: Order) -> str:
    """Return the address of an order in the shop's own pages, for people who work there."""
    return f"{shop.url}/wp-admin/post.php?post={order.id}&action=edit"


def parsed(raw: object) -> Order | None:
    """Return an order from its JSON; None for anything that is none."""
    if not isinstance(raw, Mapping) or not isinstance(raw.get("id"), int):
        return None
    billing = raw.get("billing")
    email = billing.get("email") if isinstance(billing, Mapping) else ""
    lines = raw.get("line_items")
    status = _text(raw.get("status"))
    return Order(
        id=raw["id"],
        number=_text(raw.get("number")) or str(raw["id"]),
        status=status,
        total=_text(raw.get("total")),
        currency=_text(raw.get("currency")),
        created_at=_moment(raw.get("date_created_gmt")),
        items=[_item(one) for one in lines if isinstance(one, Mapping)] if isinstance(lines, list) else [],
        email=_text(email).lower(),
        pay_url=_text(raw.get("payment_url")) if status == "pending" else "",
    )


def is_paid(raw: Mapping[str, Any]) -> bool:
    """Return whether an order is paid."""
    return bool(raw.get("date_paid_gmt")) and raw.get("status") in {"processing", "completed"}


def changed_at(raw: Mapping[str, Any]) -> datetime | None:
    """Return when an order changed last."""
    return _moment(raw.get("date_modified_gmt"))


def _item(raw: Mapping[str, Any]) -> tuple[int, str]:
    quantity = raw.get("quantity")
    return (quantity if isinstance(quantity, int) else 1, _text(raw.get("name")))


def _text(value: object) -> str:
    return str(value)[:200] if isinstance(value, str | int) else ""


def _moment(value: object) -> datetime | None:
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return None if found is None else found.replace(tzinfo=UTC)


def ask(shop: Shop, path: str, params: Mapping[str, str]) -> Response:
    """Return what the shop answers, whatever its status.

    :raises FetchError: if it does not.
    """
    login = base64.b64encode(f"{shop.key}:{shop.secret}".encode()).decode()
    return client_of(shop).request(
        "GET",
        shop.url + API + path,
        params=params,
        headers={"Authorization": f"Basic {login}", "Accept": "application/json"},
        max_bytes=MAX_BYTES,
    )


def client_of(shop: Shop) -> Client:
    """Return a client that reaches this shop only."""
    host = urlsplit(shop.url).hostname or ""
    return Client(frozenset({host}), connect_timeout=2, read_timeout=5, total_timeout=8)


def _get(shop: Shop, path: str, params: Mapping[str, str]) -> Any:
    try:
        answer = ask(shop, path, params)
    except FetchError as error:
        raise ShopError(error.reason) from None
    if answer.status in {401, 403}:
        raise ShopError(f"it answered {answer.status}", refused=True)
    if answer.status != 200:
        raise ShopError(f"it answered {answer.status}")
    try:
        return json.loads(answer.body)
    except (ValueError, RecursionError):
        raise ShopError("the answer is not JSON") from None
