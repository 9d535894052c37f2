"""The shop's webhooks on a real desk: payments are noted once, rules know of open orders, forgeries fail."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session
from werkzeug.test import Client

from host.addons import lifecycle
from host.addons.package.build import build_addon
from host.core import db
from host.models.inbox import Contact, Message
from host.models.users import User, Workspace
from host.process.serving import HostApplication
from host.sdk.channel import AccountRef
from host.sdk.rules import AskedAbout
from sandbox.shop import KEY, SECRET, WEBHOOK_SECRET, Shop
from tests.addons.conftest import PASSWORD, Admin, MakeZip, configuration
from tests.addons.test_panels import Opened

ANA = "ana@example.com"
SOURCE = Path(__file__).resolve().parents[2] / "addons/shop"


def set_up(admin: Admin, workspace: int, shop: Shop) -> None:
    """Fill in the settings of the addon, as the owner of a workspace."""
    values = {"url": shop.url, "key": KEY, "secret": SECRET, "webhook_secret": WEBHOOK_SECRET}
    fields = {f"setting-{name}": value for name, value in values.items()}
    answer = admin.post(f"/w/{workspace}/settings/addons/shop", version="0", password=PASSWORD, **fields)
    assert answer.status_code == 303, "the form was refused"


class ShopDesk(Opened):
    """A desk with the toy, the shop set up by its owner, and a conversation with a customer."""

    def __init__(self, desk: HostApplication, admin: Admin, shop: Shop) -> None:
        super().__init__(desk, admin)
        self.shop = shop
        db.write(lambda session: session.execute(sa.update(Contact).values(email=ANA)))
        set_up(admin, self.workspace, shop)
        self.order = shop.add(ANA, (2, "Blue mug", "36.00"), status="pending")

    def tell(self, *, secret: str = WEBHOOK_SECRET, workspace: object = None, **changes: Any) -> int:
        """Deliver the order with *changes* as a webhook; return the status of the answer."""
        return self.post(json.dumps({**self.order, **changes}).encode(), secret=secret, workspace=workspace)

    def post(self, body: bytes, *, secret: str = WEBHOOK_SECRET, workspace: object = None) -> int:
        signature = base64.b64encode(hmac.digest(secret.encode(), body, hashlib.sha256)).decode()
        where = self.workspace if workspace is None else workspace
        answer = Client(self.desk).post(
            f"/addons/shop/webhook?workspace={where}",
            data=body,
            headers={"X-WC-Webhook-Signature": signature},
        )
        return answer.status_code

    def notes(self) -> list[str]:
        query = sa.select(Message.text).where(Message.text.like("Order %")).order_by(Message.id)
        with db.read() as session:
            return [text or "" for text in session.scalars(query)]

    def has_open_order(self, email: str | None) -> bool:
        """Ask the condition of the running addon."""
        condition = self.desk.generation().directory.conditions["shop.open_order"]
        account = AccountRef(1, "u", self.workspace, "toy", "x", "Shop", "shop")
        about = AskedAbout(account, "text", "Hi", {}, {}, email)
        assert condition.facts is not None
        (facts,) = condition.facts([about])
        return condition.holds(replace(about, facts=facts), "")


PAID = {"status": "processing", "date_paid_gmt": "2026-11-27T09:00:00"}


@pytest.fixture
def shop_desk(any_database: db.Database, data: Path, toy_zip: MakeZip, tmp_path: Path) -> Iterator[ShopDesk]:
    shop = Shop().start()
    desk = HostApplication(configuration(any_database, data, LOBBY_ALLOW_HOSTS=f"127.0.0.1:{shop.port}"))
    admin = Admin(desk)
    build_addon(SOURCE, tmp_path / "shop.zip")
    for slug, path in (("toy", toy_zip()), ("shop", tmp_path / "shop.zip")):
        lifecycle.install_file(desk.config, path)
        outcome = lifecycle.activate(desk.config, slug, host=desk)
        assert outcome.ok, outcome.error
    desk.start()
    yield ShopDesk(desk, admin, shop)
    desk.close()
    shop.close()


def test_a_payment_is_noted_once_and_rules_know_of_open_orders(shop_desk: ShopDesk) -> None:
    one = shop_desk
    assert one.tell() == 200
    assert one.notes() == [], "it is not paid"
    assert one.has_open_order(ANA)
    assert one.has_open_order("ANA@example.com ")
    assert not one.has_open_order("kit@example.com")
    assert not one.has_open_order(None)
    for _ in range(3):
        assert one.tell(**PAID) == 200
    assert one.notes() == ["Order 1001 was paid: 36.00 EUR."]
    page = one.admin.get(one.beside).text
    assert "Order 1001 was paid" in page
    assert "WooCommerce" in page, "the note says who wrote it"
    assert one.tell(**PAID | {"status": "completed"}) == 200
    assert one.notes() == ["Order 1001 was paid: 36.00 EUR."]
    assert not one.has_open_order(ANA)


def test_texts_are_in_the_language_of_workspace_and_person(shop_desk: ShopDesk) -> None:
    one = shop_desk
    db.write(lambda session: session.execute(sa.update(Workspace).values(language="de")))
    db.write(lambda session: session.execute(sa.update(User).values(locale="de")))
    assert one.tell(**PAID) == 200
    with db.read() as session:
        texts = [text for text in session.scalars(sa.select(Message.text)) if "1001" in (text or "")]
    assert texts == ["Bestellung 1001 wurde bezahlt: 36.00 EUR."]
    inserted = one.admin.post(f"{one.beside}/composer-actions/shop.insert").json
    assert inserted["insert"].startswith("Bestellung 1001 (")


def test_webhooks_of_a_new_order_at_the_same_moment_are_both_taken(shop_desk: ShopDesk) -> None:
    one = shop_desk
    row = {
        "workspace_id": one.workspace,
        "order_id": one.order["id"],
        "email_hash": "of another webhook",
        "is_open": False,
        "is_paid": False,
        "changed_at": datetime(2026, 1, 1),
    }
    insert = f"INSERT INTO shop_orders ({', '.join(row)}) VALUES ({', '.join(f':{name}' for name in row)})"
    with ThreadPoolExecutor(1) as pool:

        def both(session: Session) -> Future[int]:
            session.execute(sa.text(insert).bindparams(sa.bindparam("changed_at", type_=sa.DateTime())), row)
            told = pool.submit(one.tell)
            time.sleep(0.5)  # it finds no row, and waits for this one
            return told

        assert db.write(both).result() == 200
    assert one.has_open_order(ANA)


def test_an_older_webhook_that_comes_late_changes_nothing(shop_desk: ShopDesk) -> None:
    one = shop_desk
    assert one.tell(status="completed", date_modified_gmt="2026-11-27T10:00:00") == 200
    assert one.tell(status="processing", date_modified_gmt="2026-11-27T09:00:00") == 200
    assert not one.has_open_order(ANA)


def test_forged_and_odd_deliveries_change_nothing(shop_desk: ShopDesk) -> None:
    one = shop_desk
    assert one.tell(secret="wrong") == 401
    assert one.tell(secret="") == 401
    assert one.tell(workspace=one.workspace + 1) == 401, "another workspace has no secret, or another one"
    for workspace in ("", "x", "-1", "1" * 40, "²"):
        assert one.tell(workspace=workspace) == 400, workspace
    assert one.post(b"") == 413
    assert one.post(b"x" * (513 * 1024)) == 413
    assert one.post(b"{") == 400
    assert one.post(b"[" * 100_000) == 400
    for body in (b"[]", b"{}", b'"x"', b'{"id": 5}', b'{"id": -5, "billing": {"email": "a@b.c"}}'):
        assert one.post(body) == 200, body
    assert Client(one.desk).post("/addons/shop/webhook?workspace=1", data=b"webhook_id=7").status_code == 200
    assert one.notes() == []
    assert not one.has_open_order(ANA)


def test_a_shop_of_another_workspace_sees_and_notes_nothing_here(shop_desk: ShopDesk) -> None:
    one = shop_desk
    assert one.tell(**PAID) == 200
    account = AccountRef(1, "u", one.workspace + 1, "toy", "x", "Shop", "shop")
    condition = one.desk.generation().directory.conditions["shop.open_order"]
    assert condition.facts is not None
    assert condition.facts([AskedAbout(account, "text", "Hi", {}, {}, ANA)]) == [{"open_order": False}]


def test_no_address_is_stored(shop_desk: ShopDesk) -> None:
    one = shop_desk
    one.tell()
    with db.read() as session:
        row = session.execute(sa.text("SELECT email_hash, is_open FROM shop_orders")).one()
    assert row.email_hash == hashlib.sha256(ANA.encode()).hexdigest(), "the address itself is not stored"
