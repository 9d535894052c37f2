"""Webhooks that come while the desk waits for its database are kept, and decided on as soon as it answers."""

from __future__ import annotations

import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from host import counters
from host.addons import lifecycle
from host.addons.package import store
from host.addons.running import early_webhooks, held_webhooks
from host.channels.accounts import disconnect_account
from host.core import clock, db
from host.models.channels import ChannelAccount
from host.models.queue import InboundEvent, RefusedDelivery
from host.models.users import User
from host.process.asgi import AsgiApplication
from host.process.serving import HostApplication
from host.process.waiting import WaitingHost
from host.queue import refusals
from host.sdk.db import Snapshot
from host.users import workspaces
from tests.addons.conftest import Admin, MakeZip, another_process
from tests.addons.test_toy_channel import SECRET, connect
from tests.helpers import on_a_loop
from tests.process.test_starting import ask


class Shop:
    """A desk with a connected account, which was ended and waits for its database now."""

    def __init__(self, desk: HostApplication, toy_zip: MakeZip) -> None:
        Admin(desk)
        with db.read() as session:
            mia = session.scalars(sa.select(User.id)).one()
        workspace = db.write(workspaces.create, "Sample Pottery", mia).id
        lifecycle.install_file(desk.config, toy_zip())
        assert lifecycle.activate(desk.config, "toy", host=desk).ok
        desk.start()
        self.uuid = connect(desk, workspace)
        self.desk = desk
        self.config = desk.config
        desk.close()
        counters.reset()
        self.wait()

    def wait(self) -> None:
        self.waiting = AsgiApplication(WaitingHost(self.config))

    def send(self, text: str, *, secret: str = SECRET, path: str = "") -> int:
        at = int(clock.now().timestamp() * 1000)
        body = json.dumps({"events": [{"from": "bo", "id": text, "text": text, "at": at, "name": "Bo"}]})
        signature = hmac.new(secret.encode(), body.encode(), hashlib.sha256).hexdigest()
        return on_a_loop(
            ask(
                self.waiting,
                "POST",
                path or f"/addons/toy/webhook/{self.uuid}",
                body.encode(),
                {"x-toy-signature": signature},
            )
        )[0]

    def kept(self) -> list[Path]:
        return sorted((self.config.data / "spool").glob("*.undecided"))

    def start(self) -> HostApplication:
        """Have the database answer."""
        application = another_process(self.desk)
        application.start()
        application.take_in_undecided()
        return application


def events() -> list[str]:
    with db.read() as session:
        found = session.scalars(sa.select(InboundEvent).order_by(InboundEvent.id))
        return [json.loads(one.body or b"{}")["text"] for one in found]


def refused() -> int:
    refusals.flush()
    with db.read() as session:
        return session.scalar(sa.select(sa.func.coalesce(sa.func.sum(RefusedDelivery.count), 0))) or 0


@pytest.fixture
def shop(desk: HostApplication, toy_zip: MakeZip) -> Shop:
    return Shop(desk, toy_zip)


def test_what_comes_meanwhile_is_taken_in_and_what_is_forged_is_not(shop: Shop) -> None:
    assert [shop.send(f"meanwhile {number}") for number in range(3)] == [200] * 3
    assert shop.send("by the other address", path=f"/webhooks/toy/{shop.uuid}") == 200
    assert shop.send("forged", secret="not the secret") == 200, "nobody can tell yet"
    assert shop.send("nobody's", path="/addons/other/webhook") == 503
    assert len(shop.kept()) == 5
    assert SECRET not in b"".join(path.read_bytes() for path in shop.kept()).decode("latin-1")
    status, _, body = on_a_loop(ask(shop.waiting, "GET", "/readyz/webhooks"))
    assert (status, json.loads(body)["spool"]) == (200, True), "a balancer may go on sending them here"
    assert on_a_loop(ask(shop.waiting, "GET", "/readyz"))[0] == 503
    shop.wait()  # a power cut while it waited
    assert shop.send("after the cut") == 200
    application = shop.start()
    try:
        assert events() == [*(f"meanwhile {n}" for n in range(3)), "by the other address", "after the cut"]
        assert refused() == 1
        assert shop.kept() == []
    finally:
        application.close()


def test_nothing_of_an_account_that_was_disconnected_is_believed(shop: Shop) -> None:
    """Another machine did it; this one's data folder holds nothing that could say otherwise."""
    assert shop.send("meanwhile") == 200
    with db.read() as session:
        account = session.scalars(sa.select(ChannelAccount.id)).one()
    db.write(disconnect_account, account)
    application = shop.start()
    try:
        assert events() == []
    finally:
        application.close()


def test_what_was_signed_with_a_secret_that_was_changed_is_not_believed(shop: Shop) -> None:
    from tests.addons import test_toy_channel

    assert shop.send("with the old one") == 200
    assert shop.send("with the new one", secret="another secret") == 200
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(test_toy_channel, "SECRET", "another secret")
        with db.read() as session:
            workspace = session.scalars(sa.select(ChannelAccount.workspace_id)).one()
        connect(shop.desk, workspace)
    application = shop.start()
    try:
        assert events() == ["with the new one"]
    finally:
        application.close()


def test_an_addon_that_was_switched_off_meanwhile_gets_nothing(shop: Shop) -> None:
    assert shop.send("meanwhile") == 200
    lifecycle.deactivate(shop.config, "toy")
    application = shop.start()
    try:
        assert (events(), shop.kept(), held_webhooks.counts()) == ([], [], {})
    finally:
        application.close()


def test_what_is_kept_is_bounded(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(early_webhooks, "MOST_REQUESTS", 2)
    assert [shop.send(f"{number}") for number in range(4)] == [200, 200, 503, 503]
    shop.wait()
    assert shop.send("more") == 503, "those of the process before count"
    monkeypatch.setattr(early_webhooks, "MOST_REQUESTS", 100)
    monkeypatch.setattr(early_webhooks, "MOST_BYTES", sum(path.stat().st_size for path in shop.kept()))
    assert shop.send("more") == 503


def test_a_file_that_is_damaged_is_put_aside_and_stops_nobody(shop: Shop) -> None:
    assert shop.send("one") == 200
    assert shop.send("two") == 200
    shop.kept()[0].write_bytes(b"\x81")
    application = shop.start()
    try:
        assert events() == ["two"]
        assert [path.suffix for path in (shop.config.data / "spool").iterdir()] == [".unreadable"]
    finally:
        application.close()


def test_a_process_that_started_knows_the_secrets_before_anybody_asks(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    application = another_process(shop.desk)
    get = Snapshot.get

    def watched(self: Any) -> Any:
        asked.append(counters.look_ups[self])
        return get(self)

    monkeypatch.setattr(Snapshot, "get", watched)
    application.start()
    try:
        assert any("toy" in module for module in asked)
    finally:
        application.close()


def test_an_addon_is_not_left_out_because_the_database_goes_away_while_it_is_unpacked(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any) -> Path:
        raise sa.exc.OperationalError("SELECT", {}, Exception("gone"))

    with monkeypatch.context() as patch:
        patch.setattr(store, "materialise", away)
        patch.setattr(db, "may_come_back", lambda error: isinstance(error, sa.exc.OperationalError))
        with pytest.raises(sa.exc.OperationalError):
            shop.desk.try_build({})
    assert "toy" in shop.desk.try_build({}).releases
