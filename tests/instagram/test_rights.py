"""A right that was taken away: all are told what is missing, and replies leave once it is back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta

import pytest
import sqlalchemy as sa

from host.core import clock, db
from host.models.channels import AccountState, ChannelAccount
from host.models.inbox import DeliveryState
from host.models.notifications import Notification
from host.models.users import AuditEntry, Role
from host.sdk.channel import AccountRef
from host.sdk.secrets import Secret
from sandbox import presets
from tests import helpers
from tests.instagram import world
from tests.instagram.test_campaigns_refused import Desk as Campaigning
from tests.instagram.test_outcomes import Adapter, Shop, Travel
from tests.instagram.world import ANA, KIT, Addon, Meta

QUEUED, SENT, FAILED = DeliveryState.QUEUED, DeliveryState.SENT, DeliveryState.FAILED
PAGE_RIGHT, LOGIN_RIGHT = "instagram_manage_messages", "instagram_business_manage_messages"


@pytest.fixture
def shop(ig: Addon, account: AccountRef, meta: Meta) -> Shop:
    meta.wrote(ANA)
    meta.wrote(KIT)
    return Shop(account, Adapter(ig.channel.InstagramAdapter()), meta)


@pytest.fixture
def travel() -> Iterator[Travel]:
    with ExitStack() as stack:
        yield lambda by: stack.enter_context(clock.travel(by))


def state_of(account_id: int) -> tuple[str, str | None]:
    with db.read() as session:
        row = session.get_one(ChannelAccount, account_id)
        return row.state, row.state_reason


def told() -> list[str]:
    with db.read() as session:
        return [one.sentence for one in session.scalars(sa.select(Notification).order_by(Notification.id))]


def audited() -> list[tuple[str, str]]:
    query = sa.select(AuditEntry).where(AuditEntry.action.like("account.permission%")).order_by(AuditEntry.id)
    with db.read() as session:
        return [(one.action.rpartition("_")[2], one.details["reason"]) for one in session.scalars(query)]


def assert_held(shop: Shop, first: int, right: str) -> None:
    state, reason = state_of(shop.account.id)
    assert (shop.state(first), state) == (QUEUED, AccountState.NEEDS_RECONNECT)
    assert reason is not None
    assert right in reason, "the card says what is missing"
    assert told() == [reason], "in the bell, once"
    assert audited() == [("lost", reason)]


@pytest.mark.parametrize("login", [False, True], ids=["page", "login"])
def test_the_first_refusal_holds_replies_until_the_right_is_back(
    ig: Addon,
    shop: Shop,
    meta: Meta,
    login: bool,
) -> None:
    right, token = (LOGIN_RIGHT, "pottery-instagram") if login else (PAGE_RIGHT, "pottery-long")
    if login:
        as_login(ig, shop)
    helpers.make_user(workspace=shop.workspace_id, role=Role.OWNER)
    talk, other = shop.customer_wrote(ANA), shop.customer_wrote(KIT)
    scopes = meta.token(token).scopes
    scopes.remove(right)
    first = shop.reply("first", talk, contact=ANA)
    shop.drain()
    second = shop.reply("second", other, contact=KIT)
    shop.drain()
    assert_held(shop, first, right)
    assert shop.states(first, second) == [QUEUED, QUEUED]
    assert len(meta.calls("send")) == 1, "nothing more is sent in vain"
    ig.monitoring.inspection.look_again()
    shop.drain()
    assert shop.states(first, second) == [QUEUED, QUEUED]

    scopes.append(right)
    ig.monitoring.inspection.look_again()
    shop.drain()
    assert shop.states(first, second) == [SENT, SENT]
    assert (shop.arrived("first"), shop.arrived("second")) == (1, 1)
    assert state_of(shop.account.id) == (AccountState.CONNECTED, None)
    assert [one for one, _reason in audited()] == ["lost", "back"]
    with db.read() as session:
        assert session.scalar(sa.select(sa.func.count()).where(Notification.read_at.is_(None))) == 0
        assert right in ig.accounts.find(session, shop.account.id).scopes


def as_login(ig: Addon, shop: Shop) -> None:
    world.connect(
        ig,
        workspace_id=shop.workspace_id,
        flavour=ig.config.Flavour.LOGIN,
        page_id="",
        token=Secret(f"IGAASANDBOXPotteryLong{world.POTTERY}"),
        scopes=("instagram_business_basic", LOGIN_RIGHT),
    )


def test_connecting_again_lets_them_leave_as_well(ig: Addon, shop: Shop, meta: Meta) -> None:
    scopes = meta.token("pottery-long").scopes
    scopes.remove(PAGE_RIGHT)
    first = shop.reply("first", shop.customer_wrote(ANA), contact=ANA)
    shop.drain()
    scopes.append(PAGE_RIGHT)
    world.connect(ig, workspace_id=shop.workspace_id)
    shop.drain()
    assert shop.state(first) == SENT


def test_a_refusal_that_meta_does_not_confirm_is_about_the_message(
    ig: Addon,
    shop: Shop,
    meta: Meta,
) -> None:
    meta.fault("send", "error", code=10, times=1)
    first = shop.reply("first", shop.customer_wrote(ANA), contact=ANA)
    shop.drain()
    assert shop.state(first) == FAILED
    assert state_of(shop.account.id) == (AccountState.CONNECTED, None)


@pytest.mark.parametrize("code", [(200, 2534041), (100, 2534029), (36103, None)], ids=str)
def test_an_account_that_meta_blocks_holds_its_replies(
    ig: Addon,
    shop: Shop,
    meta: Meta,
    code: tuple[int, int | None],
) -> None:
    more = {} if code[1] is None else {"subcode": code[1]}
    for call in ("send", "conversations"):
        meta.fault(call, "error", code=code[0], **more)
    first = shop.reply("first", shop.customer_wrote(ANA), contact=ANA)
    shop.drain()
    assert shop.state(first) == QUEUED
    assert state_of(shop.account.id) == (AccountState.NEEDS_RECONNECT, ig.errors.lookup(*code).sentence)
    meta.box.faults.remove()
    ig.monitoring.inspection.look_again()
    shop.drain()
    assert shop.state(first) == SENT


def test_one_that_only_refuses_to_send_pauses(ig: Addon, shop: Shop, meta: Meta, travel: Travel) -> None:
    meta.fault("send", "error", code=100, subcode=2534029)
    first = shop.reply("first", shop.customer_wrote(ANA), contact=ANA)
    shop.drain()
    assert shop.state(first) == QUEUED
    assert shop.account_row().blocked_reason == ig.errors.lookup(100, 2534029).sentence
    meta.box.faults.remove()
    shop.later(travel, timedelta(minutes=11), step=timedelta(minutes=4))
    assert shop.state(first) == SENT


def test_comments_wait_alone(comments: AccountRef, ig: Addon, meta: Meta) -> None:
    scopes = meta.token("pottery-long").scopes
    scopes.remove("instagram_manage_comments")

    desk = Campaigning(comments, ig)
    desk.comment(meta)
    scopes.append("instagram_manage_comments")
    scopes.remove(PAGE_RIGHT)
    desk.run()
    assert meta.sent() == []
    state, reason = state_of(comments.id)
    assert state == AccountState.NEEDS_RECONNECT
    assert PAGE_RIGHT in (reason or "")
    assert state_of(comments.beside_id or 0)[0] == AccountState.CONNECTED, "until it sends itself"
    scopes.append(PAGE_RIGHT)
    ig.monitoring.inspection.look_again()
    desk.run()
    assert [one["text"] for one in meta.sent()] == ["Here is the link"]


def test_the_stand_in_can_play_it(ig: Addon, shop: Shop, meta: Meta) -> None:
    presets.switch(meta.box, presets.BY_NAME["manage_messages"], True)
    first = shop.reply("first", shop.customer_wrote(ANA), contact=ANA)
    shop.drain()
    assert shop.state(first) == QUEUED
    presets.switch(meta.box, presets.BY_NAME["manage_messages"], False)
    ig.monitoring.inspection.look_again()
    shop.drain()
    assert shop.state(first) == SENT
