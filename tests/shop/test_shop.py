"""The panel of orders, the composer's button and the assistants' tool, against a stand-in shop."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from host.inbox.panels import calling
from host.sdk import settings
from host.sdk.api import ApiCall, ApiRefusalError
from host.sdk.channel import AccountRef
from host.sdk.errors import SettingsMissingError
from host.sdk.panels import CustomerContext, Entry, InsertText, Paragraph, ShowNotice, Tone
from host.sdk.rules import UsedFor
from host.sdk.secrets import Secret
from host.sdk.testing import provided_settings
from sandbox.shop import SECRET, Shop

ANA = "ana@example.com"
PACKAGE = Path(__file__).resolve().parents[2] / "addons/shop/shop"


def module(name: str) -> ModuleType:
    """Import a module of the addon as Lobby does: under a name of its own."""
    if "shop_under_test" not in sys.modules:
        spec = importlib.util.spec_from_file_location(
            "shop_under_test", PACKAGE / "__init__.py", submodule_search_locations=[str(PACKAGE)]
        )
        assert spec is not None
        sys.modules["shop_under_test"] = importlib.util.module_from_spec(spec)
    return importlib.import_module(f"shop_under_test.{name}")


api, beside, shops, tool, woocommerce = map(module, ("api", "beside", "shops", "tool", "woocommerce"))


def rendered(customer: CustomerContext) -> Any:
    return calling.blocks_of(beside.PANEL, customer, "WooCommerce")


def test_orders_of_the_customer_are_shown_newest_first(shop: Shop, ana: CustomerContext) -> None:
    shop.add(ANA, (2, "Blue mug", "36.00"), status="completed")
    shop.add("kit@example.com", (1, "Vase", "80.00"))
    shop.add("Ana@Example.com", (1, "Plate", "12.50"), (1, "Bowl", "9.50"))
    newest, first = rendered(ana)
    assert isinstance(newest, Entry)
    assert (newest.title, newest.badge, newest.tone) == ("Order 1003", "In progress", Tone.GOOD)
    assert newest.detail.endswith("22.00 EUR · 1 × Plate, 1 × Bowl")
    assert newest.url == f"{shop.url}/wp-admin/post.php?post=1003&action=edit"
    assert (first.title, first.badge) == ("Order 1001", "Completed")
    assert shop.asked == [{"search": ANA, "per_page": "10", "orderby": "date", "order": "desc"}]


def test_an_address_in_a_note_of_somebody_elses_order_is_not_theirs(shop: Shop, ana: CustomerContext) -> None:
    shop.add("kit@example.com", (1, "Vase", "80.00"))["customer_note"] = f"A gift for {ANA}"
    assert rendered(ana) == []


def test_an_order_is_inserted_with_what_the_customer_needs(shop: Shop, ana: CustomerContext) -> None:
    shop.add(ANA, (2, "Blue mug", "36.00"))
    shop.add(ANA, (1, "Bowl", "9.50"), status="pending")
    pay = f"{shop.url}/checkout/order-pay/1002/"
    assert calling.run(beside.ACTION, ana, "WooCommerce") == InsertText(
        f"Order 1002 (1 × Bowl): Waiting for payment. {pay}"
    )
    assert calling.pressed(beside.PANEL, ana, "WooCommerce", "insert", "1001") == InsertText(
        "Order 1001 (2 × Blue mug): In progress."
    )


def test_somebody_elses_order_is_never_inserted(shop: Shop, ana: CustomerContext) -> None:
    shop.add("kit@example.com", (1, "Vase", "80.00"))
    for value in ("1001", "1001 or 1=1", "", "9" * 400):
        found = calling.pressed(beside.PANEL, ana, "WooCommerce", "insert", value)
        assert found == ShowNotice("This customer has no order.")


def test_without_an_address_the_panel_says_what_to_do(shop: Shop, ana: CustomerContext) -> None:
    nobody = replace(ana, email=None)
    said = "Orders are found by email address. Add the customer's under Details."
    assert rendered(nobody) == [Paragraph(said)]
    assert calling.run(beside.ACTION, nobody, "WooCommerce") == ShowNotice(said)
    assert shop.asked == []


@pytest.mark.parametrize("status", [500, 503, 429, 404])
def test_a_shop_that_fails_says_so(shop: Shop, ana: CustomerContext, status: int) -> None:
    shop.refuse = [status]
    assert rendered(ana) == [Paragraph(f"The shop could not be reached: it answered {status}.")]
    assert rendered(ana) == []


def test_a_wrong_key_says_where_to_mend_it_and_stays_secret(shop: Shop, ana: CustomerContext) -> None:
    values: dict[str, Any] = {"url": shop.url, "key": "ck_wrong", "secret": Secret(SECRET)}
    with provided_settings("shop", workspace=values):
        (block,) = rendered(ana)
    assert block == Paragraph("The shop refused the key. Check it in the settings of the addon.")
    assert SECRET not in repr(shops.Shop(shop.url, "k", SECRET))


def test_without_settings_the_panel_says_so(
    shop: Shop, ana: CustomerContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(slug: str, workspace_id: int) -> Any:
        raise SettingsMissingError(slug, ("url",), workspace_id)

    monkeypatch.setattr(settings, "workspace", missing)
    assert rendered(ana) == [Paragraph("The shop is not set up yet.")]


@pytest.mark.parametrize(
    "raw",
    [
        None,
        [],
        "order",
        {},
        {"id": "1"},
        {"id": 1, "billing": None, "line_items": None, "date_created_gmt": "yesterday", "status": None},
        {"id": 1, "billing": {"email": 7}, "line_items": [None, {"quantity": "x", "name": None}]},
    ],
)
def test_odd_answers_are_no_error(raw: object) -> None:
    found = woocommerce.parsed(raw)
    assert found is None or found.number == "1"


def test_the_tool_tells_a_model_only_of_this_customer(shop: Shop) -> None:
    shop.add(ANA, (2, "Blue mug", "36.00"))
    shop.add("kit@example.com", (1, "Vase", "80.00"))
    account = AccountRef(1, "u", 1, "toy", "x", "Shop", "shop")
    used = UsedFor(account, "1", "ana.sample", {}, "key", ANA, 3)
    assert tool.look_up(used, {}) == "Order 1001, status processing, 36.00 EUR: 2 x Blue mug"
    assert "Ask for it" in tool.look_up(replace(used, email=None), {})
    assert tool.look_up(replace(used, email="new@example.com"), {}) == (
        "There is no order with the customer's email address."
    )


def test_programs_list_orders(shop: Shop) -> None:
    shop.add(ANA, (2, "Blue mug", "36.00"))

    def ask(email: str) -> Any:
        return api.list_orders(ApiCall(1, api.OrdersQuery(email=email), None, "Program"))

    (order,) = ask(ANA).data
    assert (order.number, order.status, order.items[0].name) == ("1001", "processing", "Blue mug")
    with pytest.raises(ApiRefusalError) as refused:
        ask("ana")
    assert refused.value.field == "email"
    shop.refuse = [500]
    with pytest.raises(ApiRefusalError) as refused:
        ask(ANA)
    assert refused.value.status == 409
