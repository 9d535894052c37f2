"""The route of Lobby's API that lists orders, for programs of the workspace."""

from __future__ import annotations

from host.sdk.api import ApiCall, ApiRefusalError, ApiRoute, ApiScope, ApiStruct

from .shops import NotSetUpError, shop_of
from .woocommerce import Order, ShopError, orders_of


class OrdersQuery(ApiStruct, frozen=True):
    """The address whose orders are listed."""

    email: str


class OrderItem(ApiStruct, frozen=True):
    """Products of an order."""

    quantity: int
    name: str


class OrderAnswer(ApiStruct, frozen=True):
    """An order, as in WooCommerce."""

    id: int
    number: str
    status: str
    total: str
    currency: str
    items: list[OrderItem]


class Orders(ApiStruct, frozen=True):
    """The newest orders, at most ten."""

    data: list[OrderAnswer]


def list_orders(call: ApiCall) -> Orders:
    """Return the newest orders of an e-mail address."""
    query: OrdersQuery = call.query
    if "@" not in query.email:
        raise ApiRefusalError("This is not an email address.", field="email")
    try:
        found = orders_of(shop_of(call.workspace_id), query.email)
    except NotSetUpError:
        raise ApiRefusalError("The shop is not set up yet.", status=409) from None
    except ShopError as error:
        raise ApiRefusalError(f"The shop could not be reached: {error}.", status=409) from None
    return Orders(data=[_shown(one) for one in found])


def _shown(order: Order) -> OrderAnswer:
    return OrderAnswer(
        id=order.id,
        number=order.number,
        status=order.status,
        total=order.total,
        currency=order.currency,
        items=[OrderItem(quantity=quantity, name=name) for quantity, name in order.items],
    )


ROUTES = [
    ApiRoute(
        method="GET",
        path="orders",
        name="list_orders",
        summary="List orders from WooCommerce",
        run=list_orders,
        scope=ApiScope.CONTACTS_READ,
        query=OrdersQuery,
        answer=Orders,
        about="The newest orders with this email address, at most ten. The shop is asked each time.",
    )
]
