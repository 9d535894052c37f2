"""An app that Meta restricted: nothing fails with a false cause, and everything goes out once it is over."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from host.channels import warnings
from host.core import clock, db
from host.models.inbox import DeliveryState, Message
from host.models.notifications import Notification
from host.models.users import Membership, Role, User
from host.sdk.cards import Verdict
from host.sdk.channel import AccountRef, Held, NotSent, ReactRequest, Rejected, SendRequest, Sent
from host.sdk.messages import MessageKind, OutgoingPart
from tests.instagram import world
from tests.instagram.test_outcomes import Adapter, Shop, Travel
from tests.instagram.world import ANA, CAFE, KIT, POTTERY, STUDIO, Addon, Meta

QUEUED, SENT, FAILED = DeliveryState.QUEUED, DeliveryState.SENT, DeliveryState.FAILED
SECOND_APP = world.seed.SECOND_APP_ID
WORDS = "Unsupported request - method type: post"
MINUTE = timedelta(minutes=1)


@pytest.fixture
def travel() -> Iterator[Travel]:
    with ExitStack() as stack:
        yield lambda by: stack.enter_context(clock.travel(by))


@pytest.fixture
def shop(ig: Addon, account: AccountRef, meta: Meta) -> Shop:
    for customer in (ANA, KIT):
        meta.wrote(customer)
    return Shop(account, Adapter(ig.channel.InstagramAdapter()), meta)


def restrict(meta: Meta, on: bool = True, app: str = world.APP_ID) -> None:
    meta.box.world.apps[app].restricted = on


def is_restricted(ig: Addon, app: str = world.APP_ID) -> bool:
    return bool(ig.restrictions.is_restricted(app))


def people(*workspaces: int) -> None:
    """Make an owner of some workspaces, and an admin."""

    def use_case(session: Any) -> None:
        owner, admin = (
            User(
                email=f"{name}@example.com",
                name=name,
                password_hash="x",
                created_at=clock.now(),
                is_admin=top,
            )
            for name, top in (("owner", False), ("admin", True))
        )
        session.add_all([owner, admin])
        session.flush()
        for workspace_id in workspaces:
            session.add(Membership(user_id=owner.id, workspace_id=workspace_id, role=Role.OWNER))

    db.write(use_case)


def notified() -> list[tuple[int, str]]:
    with db.read() as session:
        rows = session.scalars(sa.select(Notification).order_by(Notification.id))
        return [(row.user_id, row.sentence) for row in rows]


def warned(account: AccountRef) -> list[str]:
    with db.read() as session:
        return [one.kind for one in warnings.standing_warnings(session, [account.id]).get(account.id, [])]


def failures() -> list[dict[str, Any]]:
    with db.read() as session:
        rows = session.scalars(sa.select(Message).where(Message.state == FAILED))
        return [row.error or {} for row in rows]


def request(account: AccountRef, key: str, recipient: str = ANA) -> SendRequest:
    return SendRequest(account, recipient, OutgoingPart(MessageKind.TEXT, text="hello"), key * 32)


def two_accounts_are_refused(ig: Addon, shop: Shop, meta: Meta) -> AccountRef:
    """Let the app be known to be restricted; return its second account."""
    studio = world.connect(ig, STUDIO, workspace_id=shop.workspace_id)
    restrict(meta)
    adapter = ig.channel.InstagramAdapter()
    first, second = (adapter.send(request(each, "f")) for each in (shop.account, studio))
    assert isinstance(first, NotSent)
    assert not first.whole_account, "one refusal stops nobody else"
    assert isinstance(second, NotSent)
    assert second.whole_account
    assert is_restricted(ig)
    return studio


def test_three_calls_and_me_show_a_restriction(ig: Addon, shop: Shop, meta: Meta, travel: Travel) -> None:
    talk = shop.customer_wrote(ANA)
    restrict(meta)
    message = shop.reply("first", talk, contact=ANA)
    for refused in (1, 2, 3):
        assert not is_restricted(ig)
        shop.drain()
        assert len(meta.calls("send")) == refused
        assert shop.state(message) == QUEUED
        assert refused == 3 or shop.account_row().blocked_until is None
        travel(MINUTE + timedelta(seconds=1))
    assert is_restricted(ig)
    assert shop.account_row().blocked_reason == ig.restrictions.RESTRICTED.sentence
    assert shop.entry(message).waiting["sentence"] == ig.restrictions.RESTRICTED.sentence  # type: ignore[index]


def test_a_fault_of_ours_stays_a_rejection(ig: Addon, shop: Shop, meta: Meta, travel: Travel) -> None:
    talk = shop.customer_wrote(ANA)
    meta.fault("send", "error", code=100, message=WORDS, match={"text": "odd"})
    message = shop.reply("odd", talk, contact=ANA)
    shop.drain()
    assert shop.state(message) == QUEUED, "it is not failed before it is decided"
    shop.later(travel, timedelta(minutes=4), step=MINUTE)
    assert shop.state(message) == FAILED
    assert (shop.message(message).error or {})["code"] == "100"
    assert not is_restricted(ig)
    assert notified() == []


def test_once_another_message_went_out_since_it_is_a_fault_of_ours(
    ig: Addon, shop: Shop, meta: Meta, travel: Travel
) -> None:
    talk, other = shop.customer_wrote(ANA), shop.customer_wrote(KIT)
    studio = world.connect(ig, STUDIO, workspace_id=shop.workspace_id)
    meta.fault("send", "error", code=100, message=WORDS, match={"text": "odd"})
    odd = shop.reply("odd", talk, contact=ANA)
    shop.drain()
    travel(timedelta(seconds=20))
    fine = shop.reply("fine", other, contact=KIT)
    shop.drain()
    assert shop.states(odd, fine) == [QUEUED, SENT]
    found = ig.accounts.credentials(studio.id)
    error = ig.graph.GraphError(WORDS, code=100, status=400)
    ig.restrictions.refused(found, error, "another account's")
    assert not is_restricted(ig), "what was refused before a message went out does not count"
    travel(MINUTE)
    shop.drain()
    assert shop.state(odd) == FAILED


def test_a_message_that_was_under_way_proves_nothing(ig: Addon, shop: Shop, meta: Meta) -> None:
    found = ig.accounts.credentials(shop.account.id)
    error = ig.graph.GraphError(WORDS, code=100, status=400)

    def send() -> Sent:
        ig.restrictions.refused(found, error, "a" * 32)
        return Sent("mid")

    ig.restrictions.guarded(found, send)
    restrict(meta)
    assert isinstance(ig.restrictions.refused(found, error, "a" * 32), NotSent)


@pytest.mark.parametrize(
    ("code", "subcode", "words"),
    [
        (100, None, "Invalid parameter"),
        (100, 33, "Unsupported request. Object does not exist"),
        (200, None, "Permissions error"),
    ],
)
def test_other_refusals_are_no_restriction(
    ig: Addon, shop: Shop, meta: Meta, code: int, subcode: int | None, words: str
) -> None:
    given = {"code": code, "message": words} | ({} if subcode is None else {"subcode": subcode})
    meta.fault("send", "error", **given)
    assert isinstance(ig.channel.InstagramAdapter().send(request(shop.account, "f")), Rejected)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (100, WORDS),
        (200, "API access blocked."),
        (200, "API access deactivated. To reactivate, go to the app dashboard."),
    ],
)
def test_answers_that_may_be_a_restriction(ig: Addon, shop: Shop, meta: Meta, code: int, words: str) -> None:
    meta.fault("send", "error", code=code, message=words)
    adapter = ig.channel.InstagramAdapter()
    assert isinstance(adapter.send(request(shop.account, "f")), NotSent)
    assert isinstance(adapter.react(ReactRequest(shop.account, ANA, "mid", "x")), NotSent)


def test_people_are_told_once_and_every_card_says_it(
    ig: Addon, shop: Shop, meta: Meta, travel: Travel
) -> None:
    people(shop.workspace_id)
    studio = two_accounts_are_refused(ig, shop, meta)
    assert [sentence for _user, sentence in notified()] == [ig.restrictions.WARNED] * 2
    assert len({user for user, _sentence in notified()}) == 2
    assert warned(shop.account) == warned(studio) == ["app-restricted"]
    ig.monitoring.watchdog.watch()
    ig.monitoring.inspection.inspect()
    travel(timedelta(hours=1))
    ig.monitoring.watchdog.watch()
    assert len(notified()) == 2
    assert warned(shop.account) == ["app-restricted"]
    restrict(meta, False)
    travel(timedelta(hours=1))
    ig.monitoring.watchdog.watch()
    assert not is_restricted(ig)
    assert warned(shop.account) == warned(studio) == []
    assert [sentence for _user, sentence in notified()][2:] == [ig.restrictions.LIFTED] * 2


def test_another_app_goes_on(ig: Addon, shop: Shop, meta: Meta) -> None:
    meta.token("cafe-long").app_id = SECOND_APP
    cafe = world.connect(ig, CAFE, workspace_id=shop.workspace_id, app_id=SECOND_APP, app_secret=SECOND)
    guest = next(one for one in meta.box.world.customers.values() if one.igid == CAFE)
    meta.wrote(guest.igsid)
    two_accounts_are_refused(ig, shop, meta)
    assert isinstance(ig.channel.InstagramAdapter().send(request(cafe, "c", guest.igsid)), Sent)
    assert not is_restricted(ig, SECOND_APP)
    assert warned(cafe) == []


SECOND = world.Secret(world.OTHER_SECRET)


def test_only_one_probe_goes_out_in_an_interval(ig: Addon, shop: Shop, meta: Meta, travel: Travel) -> None:
    studio = two_accounts_are_refused(ig, shop, meta)
    adapter = ig.channel.InstagramAdapter()
    meta.box.ledger.clear()
    for _ in range(5):
        assert isinstance(adapter.send(request(studio, "a")), NotSent)
    assert meta.entries("call") == []
    travel(timedelta(minutes=5, seconds=1))
    for _ in range(5):
        assert isinstance(adapter.send(request(studio, "a")), NotSent)
    assert len(meta.entries("call")) == 1


def test_where_me_works_a_message_is_the_probe(ig: Addon, shop: Shop, meta: Meta, travel: Travel) -> None:
    studio = world.connect(ig, STUDIO, workspace_id=shop.workspace_id)
    meta.fault("send", "error", code=100, message=WORDS)
    adapter = ig.channel.InstagramAdapter()
    for each in (shop.account, studio):
        adapter.send(request(each, "f"))
    assert is_restricted(ig)
    travel(timedelta(minutes=6))
    ig.monitoring.watchdog.watch()
    assert is_restricted(ig), "that GET /me is answered says nothing"
    assert isinstance(adapter.send(request(shop.account, "f")), NotSent)
    assert is_restricted(ig)
    meta.box.faults.remove()
    travel(timedelta(minutes=31))
    assert isinstance(adapter.send(request(shop.account, "f")), Sent)
    assert not is_restricted(ig)


def test_an_account_that_moved_to_another_page_or_app_is_not_held(
    ig: Addon, shop: Shop, meta: Meta, travel: Travel
) -> None:
    talk = shop.customer_wrote(ANA)
    two_accounts_are_refused(ig, shop, meta)
    message = shop.reply("first", talk, contact=ANA)
    shop.drain()
    assert shop.state(message) == QUEUED
    meta.token("pottery-long").app_id = SECOND_APP
    world.connect(ig, POTTERY, workspace_id=shop.workspace_id, app_id=SECOND_APP, app_secret=SECOND)
    travel(timedelta(minutes=6))
    shop.drain()
    assert shop.state(message) == SENT
    assert is_restricted(ig), "the app it left still is"


def test_an_account_whose_page_is_another_now_is_told_so(ig: Addon, shop: Shop, meta: Meta) -> None:
    meta.box.world.pages[world.POTTERY_PAGE].igid = None
    result = ig.channel.InstagramAdapter().send(request(shop.account, "f"))
    assert isinstance(result, Held)
    assert "no longer linked" in result.problem.sentence
    assert not is_restricted(ig)


def test_after_it_messages_go_out_at_half_rate(ig: Addon, shop: Shop, meta: Meta, travel: Travel) -> None:
    two_accounts_are_refused(ig, shop, meta)
    adapter = ig.channel.InstagramAdapter()

    def rate() -> int:
        return int(adapter.limits(request(shop.account, "f"))[0].amount)

    assert rate() == 100
    restrict(meta, False)
    travel(timedelta(minutes=6))
    assert isinstance(adapter.send(request(shop.account, "f")), Sent)
    assert rate() == 50
    travel(timedelta(hours=1, minutes=1))
    assert rate() == 100


def test_diagnose_names_it_and_no_sign_in(ig: Addon, shop: Shop, meta: Meta) -> None:
    two_accounts_are_refused(ig, shop, meta)
    found = {one.name: one for one in ig.diagnose.diagnosis.diagnose(shop.account)}
    assert found["restriction"].verdict is Verdict.FAIL
    assert WORDS in found["restriction"].evidence
    assert found["token"].verdict is Verdict.UNKNOWN
    assert all(one.action != "reconnect" for one in found.values())


@pytest.mark.slow
@pytest.mark.parametrize("restarts", [False, True], ids=["", "with restarts"])
def test_a_restricted_app_for_a_day(
    ig: Addon, shop: Shop, meta: Meta, travel: Travel, restarts: bool
) -> None:
    """Replies of a day on two accounts: sent after the release in order, or named as too late."""
    people(shop.workspace_id)
    studio = world.connect(ig, STUDIO, workspace_id=shop.workspace_id)
    guest = next(one.igsid for one in meta.box.world.customers.values() if one.igid == STUDIO)
    meta.wrote(guest)
    early = shop.customer_wrote(ANA)
    written: dict[int, str] = {}
    travel(timedelta(hours=2))
    restrict(meta)
    late_one = shop.reply("too late", early, contact=ANA)
    kit = shop.customer_wrote(KIT)
    other = shop.customer_wrote(guest, account=studio)
    for hour in range(24):
        if hour == 12:
            meta.wrote(KIT)
            meta.wrote(guest)
            kit, other = shop.customer_wrote(KIT), shop.customer_wrote(guest, account=studio)
        written[shop.reply(f"kit {hour}", kit, contact=KIT)] = f"kit {hour}"
        written[shop.reply(f"guest {hour}", other, contact=guest)] = f"guest {hour}"
        if restarts and hour % 5 == 0:
            ig.restrictions._states.forget()
            ig.accounts.book.forget()
        shop.later(travel, timedelta(hours=1), step=timedelta(minutes=6))
    assert meta.sent() == []
    assert is_restricted(ig)
    assert set(shop.states(*written)) == {QUEUED}
    calls = len(meta.entries("call"))
    assert calls < 100, "two probes an hour, and not one call for each message"
    restrict(meta, False)
    shop.later(travel, timedelta(hours=1), step=timedelta(minutes=1))
    assert set(shop.states(*written)) == {SENT}
    for name in ("kit", "guest"):
        texts = [one["text"] for one in meta.sent() if one["text"].startswith(name)]
        assert texts == [f"{name} {hour}" for hour in range(24)], "in order, once each"
    assert shop.state(late_one) == FAILED
    assert [(one["code"], one["cause"]) for one in failures()] == [
        ("window_closed", ig.restrictions.RESTRICTED.sentence)
    ]
    assert all(one["text"] != "too late" for one in meta.sent())
    found = {one.name: one for one in ig.diagnose.diagnosis.diagnose(shop.account)}["restriction"]
    assert found.verdict is Verdict.WARN
    assert ANA in found.evidence or "ana" in found.evidence
    assert [sentence for _user, sentence in notified()] == (
        [ig.restrictions.WARNED] * 2 + [ig.restrictions.LIFTED] * 2
    )


def test_two_processes_that_find_it_out_at_once_tell_it_once(
    any_desk: db.Database, ig: Addon, meta: Meta
) -> None:
    first = world.connect(ig)
    second = world.connect(ig, STUDIO, workspace_id=first.workspace_id)
    people(first.workspace_id)
    restrict(meta)
    error = ig.graph.GraphError(WORDS, code=100, status=400)
    found = [ig.accounts.credentials(one.id) for one in (first, second)]
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda n: ig.restrictions.refused(found[n % 2], error, f"m{n}"), range(8)))
    assert all(isinstance(one, NotSent) for one in results)
    assert is_restricted(ig)
    assert [sentence for _user, sentence in notified()] == [ig.restrictions.WARNED] * 2
    with clock.travel(timedelta(minutes=6)), ThreadPoolExecutor(4) as pool:
        meta.box.ledger.clear()
        assert all(pool.map(lambda n: ig.restrictions.probe(found[n % 2]), range(8)))
        assert len(meta.calls("me")) == 1
