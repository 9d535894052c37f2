"""An addon that keeps failing is set aside: the desk goes on, what its provider sends is delivered later."""

from __future__ import annotations

import importlib
import json
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from werkzeug.exceptions import NotFound
from werkzeug.test import Client

from demo.processes import CHECKOUT
from host import counters
from host.addons import lifecycle
from host.addons.listing import OPERATIONS, STATES
from host.addons.metrics import in_process
from host.addons.metrics.in_process import LIMIT, CallMetrics, Series
from host.addons.running import held_webhooks, jobs
from host.core import clock, db
from host.delivery.held_lanes import wake_active_channels
from host.delivery.worker import drain
from host.models.addons import Addon, AddonState, ParkedRequest
from host.models.inbox import Message
from host.models.queue import InboundEvent, RefusedDelivery
from host.models.users import AuditEntry, User
from host.process.serving import HostApplication
from host.sdk.errors import FetchError, FileEndedError, ForbiddenAddressError, ProviderError
from host.users import workspaces
from tests.addons.conftest import Admin, MakeZip, another_process, configuration
from tests.addons.test_toy_channel import connect, deliver

pytestmark = pytest.mark.slow

FUSE = """

import os.path


def authenticate(request, real=authenticate):
    if os.path.exists({fuse!r}):
        raise RuntimeError("the provider sent something odd")
    return real(request)
"""


@pytest.fixture(autouse=True)
def _nothing_seen(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    in_process.reset()
    monkeypatch.setattr(jobs, "TICK_SECONDS", 0.05)
    yield
    in_process.reset()


def state_of(slug: str = "toy") -> str:
    with db.read() as session:
        return session.get_one(Addon, slug).state


def held() -> int:
    with db.read() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(ParkedRequest)) or 0


class Shop:
    """A desk with a workspace, a connected toy account, and a toy that fails while a file exists."""

    def __init__(self, desk: HostApplication, toy_zip: MakeZip) -> None:
        self.desk = desk
        self.admin = Admin(desk)
        self.fuse = desk.config.data / "fuse"
        self.changes = {"toy/webhook.py": lambda t: t + FUSE.format(fuse=str(self.fuse))}
        with db.read() as session:
            mia = session.scalars(sa.select(User.id)).one()
        self.workspace = db.write(workspaces.create, "Sample Pottery", mia).id
        lifecycle.install_file(desk.config, toy_zip(self.changes))
        assert lifecycle.activate(desk.config, "toy", host=desk).ok
        desk.start()
        self.uuid = connect(desk, self.workspace)
        # Another thread may just have read which accounts there were before; that is remembered for 200 ms.
        deadline = time.monotonic() + 60
        while self.send() != 200:
            assert time.monotonic() < deadline

    def send(self, *texts: str, **options: Any) -> int:
        answer = deliver(self.desk, f"/addons/toy/webhook/{self.uuid}", *texts, **options)
        return int(answer.status_code)

    def messages(self) -> list[str]:
        wake_active_channels(self.desk.generation().directory)
        drain(self.desk.generation())
        with db.read() as session:
            return sorted(session.scalars(sa.select(Message.text)))

    def break_it(self, until: Callable[..., None]) -> None:
        self.fuse.touch()
        for number in range(LIMIT):
            assert self.send(f"lost {number}") == 503, "the provider keeps it and sends it again"
        until(lambda: state_of() == AddonState.QUARANTINED)
        until(lambda: "toy" not in self.desk.generation().releases)


@pytest.fixture
def shop(any_desk: HostApplication, toy_zip: MakeZip) -> Shop:
    return Shop(any_desk, toy_zip)


def test_what_arrives_meanwhile_is_kept_and_delivered(shop: Shop, until: Callable[..., None]) -> None:
    assert shop.send("before") == 200
    assert shop.messages() == ["before"]
    shop.break_it(until)
    assert shop.send("meanwhile") == 200
    assert shop.send("forged", secret="another secret") == 200, "nobody can tell yet"
    assert held() == 2
    assert shop.messages() == ["before"]
    assert shop.admin.get("/admin/addons").status_code == 200
    assert shop.admin.get(f"/w/{shop.workspace}/inbox").status_code == 200

    shop.fuse.unlink()
    page = shop.admin.activate()
    assert "Addon activated." in page.text
    until(lambda: held() == 0)
    assert shop.messages() == ["before", "meanwhile"], "what was forged is not believed now either"
    with db.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(InboundEvent)) == 2
    from host.queue import refusals

    refusals.flush()
    with db.read() as session:
        assert session.scalars(sa.select(RefusedDelivery.reason)).all() == ["signature"]
    assert shop.send("after") == 200
    assert shop.messages() == ["after", "before", "meanwhile"]


def test_the_card_says_why_and_the_journal_who(shop: Shop, until: Callable[..., None]) -> None:
    shop.break_it(until)
    shop.send("meanwhile")
    page = shop.admin.get("/admin/addons").text
    for shown in (
        "Quarantined",
        "The addon kept failing and was quarantined",
        "Try again",
        "1 request waits",
    ):
        assert shown in page
    assert "authenticate: RuntimeError: the provider sent something odd" in page
    with db.read() as session:
        entry = session.scalars(sa.select(AuditEntry).where(AuditEntry.action == "addon.quarantined")).one()
    assert (entry.subject, entry.user_id) == ("toy", None)


def test_other_processes_and_safe_mode_keep_requests_too(shop: Shop, until: Callable[..., None]) -> None:
    other = another_process(shop.desk)
    shop.break_it(until)
    counters.forget()
    assert deliver(other, f"/webhooks/toy/{shop.uuid}", "elsewhere").status_code == 200
    assert held() == 1
    other.close()
    safe = HostApplication(configuration(db.current(), shop.desk.config.data, LOBBY_SAFE_MODE="1"))
    assert deliver(safe, f"/addons/toy/webhook/{shop.uuid}", "in safe mode").status_code == 200
    assert held() == 2
    safe.close()
    shop.fuse.unlink()
    assert lifecycle.activate(shop.desk.config, "toy", host=shop.desk).ok
    until(lambda: held() == 0)
    assert shop.messages() == ["elsewhere", "in safe mode"]


@pytest.mark.slow
def test_an_addon_that_cannot_be_loaded_loses_nothing_either(
    desk: HostApplication, toy_zip: MakeZip, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = Shop(desk, toy_zip)
    monkeypatch.setattr("host.__version__", "2.0.0")
    later = another_process(desk)
    assert later.generation().failure_states["toy"] is AddonState.INCOMPATIBLE
    assert deliver(later, f"/addons/toy/webhook/{shop.uuid}", "hello").status_code == 200
    assert held() == 1
    later.close()


@pytest.mark.slow
def test_it_is_tried_once_more_under_another_version_of_the_host(
    desk: HostApplication, toy_zip: MakeZip, until: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = Shop(desk, toy_zip)
    shop.break_it(until)
    same = another_process(desk)
    assert state_of() == AddonState.QUARANTINED, "the same versions would fail in the same way"
    same.close()
    monkeypatch.setattr("host.__version__", "1.0.1")
    later = another_process(desk)
    assert state_of() == AddonState.ACTIVE
    assert "toy" in later.generation().releases
    assert lifecycle.quarantine("toy", "authenticate", "RuntimeError: still")
    again = another_process(desk)
    assert state_of() == AddonState.QUARANTINED, "once"
    later.close()
    again.close()


def test_a_new_release_is_tried_at_once(shop: Shop, toy_zip: MakeZip, until: Callable[..., None]) -> None:
    shop.break_it(until)
    shop.send("meanwhile")
    page = shop.admin.install(toy_zip(version="1.0.1"))
    assert "Addon updated." in page.text
    assert state_of() == AddonState.ACTIVE
    until(lambda: held() == 0)
    assert shop.messages() == ["meanwhile"]


@pytest.mark.slow
def test_trying_again_in_vain_keeps_it_set_aside(
    desk: HostApplication, toy_zip: MakeZip, until: Callable[..., None]
) -> None:
    shop = Shop(desk, toy_zip)
    shop.break_it(until)
    page = shop.admin.activate()
    assert "/addons/toy/webhook does not work" in page.text
    assert state_of() == AddonState.QUARANTINED
    assert shop.send("meanwhile") == 200, "its requests go on being kept"
    assert held() == 1


@pytest.mark.slow
def test_switching_it_off_forgets_what_was_kept(
    desk: HostApplication, toy_zip: MakeZip, until: Callable[..., None]
) -> None:
    shop = Shop(desk, toy_zip)
    shop.break_it(until)
    shop.send("meanwhile")
    shop.admin.deactivate()
    assert state_of() == AddonState.INACTIVE
    assert held() == 0
    assert shop.send("more") == 404


def test_one_request_the_addon_fails_on_is_asked_again_ever_later(
    desk: HostApplication, toy_zip: MakeZip, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "TICK_SECONDS", 60.0)
    shop = Shop(desk, toy_zip)
    waiting = held_webhooks.Waiting("toy", "/addons/toy/webhook", 1000)
    from host.sdk.webhooks import WebhookRequest

    keep = held_webhooks.HeldWebhooks().keep
    keep(waiting, WebhookRequest("POST", shop.uuid, {"x-toy-signature": "1"}, {}, b"{}", "198.51.100.1"))
    shop.fuse.touch()
    journal = desk.journal
    for pause in (1, 2, 4):
        assert held_webhooks.deliver(desk.generation(), journal) == 0
        with db.read() as session:
            row = session.scalars(sa.select(ParkedRequest)).one()
        assert row.retry_at is not None
        assert timedelta(minutes=pause - 0.1) < row.retry_at - clock.now() <= timedelta(minutes=pause)
        db.write(lambda s: s.execute(sa.update(ParkedRequest).values(retry_at=clock.now())))
    with clock.travel(held_webhooks.KEPT + timedelta(hours=1)):
        held_webhooks.deliver(desk.generation(), journal)
    assert held() == 0, "the provider has given up by then, too"


def test_what_is_kept_is_bounded(
    desk: HostApplication, toy_zip: MakeZip, until: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(held_webhooks, "MOST_REQUESTS", 3)
    shop = Shop(desk, toy_zip)
    shop.break_it(until)
    assert [shop.send(f"m{n}") for n in range(5)] == [200, 200, 200, 503, 503]
    assert held() == 3
    monkeypatch.setattr(held_webhooks, "MOST_REQUESTS", 100)
    monkeypatch.setattr(held_webhooks, "MOST_BYTES", 2000)
    monkeypatch.setattr(held_webhooks, "COUNT_SECONDS", -1.0)
    answers = [shop.send("x" * 300) for _ in range(9)]
    assert 503 in answers
    assert shop.send("y" * 70_000) == 413, "as large as the addon would take, no larger"


@pytest.mark.slow
def test_a_stranger_cannot_fill_it_alone(
    desk: HostApplication, toy_zip: MakeZip, until: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    from limits import RateLimitItemPerMinute

    from host.process import webhook_front

    monkeypatch.setattr(webhook_front, "PARKED", RateLimitItemPerMinute(2))
    shop = Shop(desk, toy_zip)
    shop.break_it(until)
    answers = [
        Client(desk)
        .post("/addons/toy/webhook/x", data=b"{}", environ_base={"REMOTE_ADDR": "203.0.113.9"})
        .status_code
        for _ in range(4)
    ]
    assert answers == [200, 200, 503, 503]
    assert shop.send("ours") == 200, "from an address that was believed lately"


@pytest.mark.slow
def test_a_shared_secret_in_a_header_is_not_stored_in_the_clear(
    desk: HostApplication, toy_zip: MakeZip, until: Callable[..., None]
) -> None:
    shop = Shop(desk, toy_zip)
    shop.break_it(until)
    Client(desk).post("/addons/toy/webhook/x", data=b"{}", headers={"X-Provider-Token": "canary-value-1"})
    assert held() == 1
    with db.read() as session:
        row = session.scalars(sa.select(ParkedRequest)).one()
    assert "canary-value-1" not in row.about
    assert row.about.startswith("v1:")


def test_asking_for_the_verification_of_an_address_waits(
    desk: HostApplication, toy_zip: MakeZip, until: Callable[..., None]
) -> None:
    shop = Shop(desk, toy_zip)
    shop.break_it(until)
    answer = Client(desk).get(f"/addons/toy/webhook/{shop.uuid}?challenge=1")
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "30"
    assert Client(desk).get("/addons/toy/about").status_code == 404


# What counts


def test_a_fault_now_and_then_is_no_reason() -> None:
    broken: list[str] = []
    seen = CallMetrics(on_broken=lambda slug, what, error: broken.append(what))
    for _ in range(50):
        seen.note("toy", "1.0.0", "authenticate", 0.001)
        seen.note("toy", "1.0.0", "authenticate", 0.001, ValueError("x"))
        seen.note("toy", "1.0.0", "authenticate", 0.001)
    assert broken == []


@pytest.mark.parametrize("what", ["parse", "send", "job sweep", "admin page", "page"])
def test_what_the_host_deals_with_by_itself_sets_nothing_aside(what: str) -> None:
    broken: list[str] = []
    seen = CallMetrics(on_broken=lambda slug, what, error: broken.append(what))
    for _ in range(LIMIT * 3):
        seen.note("toy", "1.0.0", what, 0.001, ValueError("x"))
    time.sleep(0.05)
    assert broken == []
    assert seen.seen()["toy", "1.0.0", what].faults == LIMIT * 3


@pytest.mark.parametrize(
    "error",
    [
        NotFound(),
        sa.exc.OperationalError("SELECT 1", {}, OSError()),
        ConnectionError("reset"),
        ProviderError("the token was revoked"),
        FetchError("timed out"),
        FileEndedError("gone"),
    ],
)
def test_what_is_not_the_codes_fault_does_not_count(error: Exception) -> None:
    seen = CallMetrics()
    for _ in range(LIMIT * 2):
        seen.note("toy", "1.0.0", "authenticate", 0.001, error)
    assert seen.seen()["toy", "1.0.0", "authenticate"].faults == 0


def test_an_address_that_is_not_declared_is_the_codes_fault() -> None:
    seen = CallMetrics()
    seen.note("toy", "1.0.0", "authenticate", 0.001, ForbiddenAddressError("not declared"))
    assert seen.seen()["toy", "1.0.0", "authenticate"].faults == 1


def test_errors_in_which_addons_report_a_refusal_are_the_providers(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("email", "instagram", "shop", "telegram", "whatsapp"):
        monkeypatch.syspath_prepend(str(CHECKOUT / "addons" / name))
    classes = [
        "telegram.api.BotError",
        "whatsapp.graph.GraphError",
        "instagram.graph.GraphError",
        "shop.woocommerce.ShopError",
        "lobby_mail.imap.server.RefusedError",
        "lobby_mail.imap.server.BrokenError",
        "lobby_mail.smtp.SignInError",
        "lobby_mail.smtp.RefusedError",
        "lobby_mail.smtp.UnconfirmedError",
        "lobby_mail.oauth.exchange.ExchangeError",
    ]
    for path in classes:
        module, _dot, name = path.rpartition(".")
        assert issubclass(getattr(importlib.import_module(module), name), ProviderError), path


def test_a_decision_the_event_loop_cannot_wait_for_is_no_call() -> None:
    """It is made again in a thread, and that is the one that counts."""
    seen = CallMetrics()
    answers = iter([db.WouldWaitError(), None] * LIMIT)

    def authenticate() -> None:
        if error := next(answers):
            raise error

    counted = seen.counted("toy", "1.0.0", "authenticate", authenticate)
    for _ in range(LIMIT):
        with pytest.raises(db.WouldWaitError):
            counted()
        counted()
    found = seen.seen()["toy", "1.0.0", "authenticate"]
    assert (found.calls, found.faults) == (LIMIT, 0)


def test_faults_long_ago_are_forgotten(monkeypatch: pytest.MonkeyPatch, until: Callable[..., None]) -> None:
    broken: list[str] = []
    seen = CallMetrics(on_broken=lambda slug, what, error: broken.append(what))
    now = 0.0
    monkeypatch.setattr("host.addons.metrics.in_process.time.monotonic", lambda: now)
    for _ in range(LIMIT * 2):
        seen.note("toy", "1.0.0", "verify", 0.001, ValueError("x"))
        now += in_process.WINDOW_SECONDS / (LIMIT - 1) + 1
    assert broken == []
    for _ in range(LIMIT):
        seen.note("toy", "1.0.0", "verify", 0.001, ValueError("x"))
    monkeypatch.undo()
    until(lambda: broken == ["verify"])


def test_the_times_of_calls() -> None:
    series = Series()
    for milliseconds in range(1, 101):
        series.add(milliseconds / 1000)
    assert series.calls == 100
    assert 0.04 <= series.share(0.5) <= 0.07
    assert 0.09 <= series.share(0.99) <= 0.1
    assert series.most == 0.1
    odd = Series()
    odd.add(0.0)
    odd.add(1000.0)
    assert odd.share(0.99) == 1000.0


@pytest.mark.slow
def test_every_function_an_addon_brings_is_counted(desk: HostApplication, toy_zip: MakeZip) -> None:
    shop = Shop(desk, toy_zip)
    shop.send("hello")
    assert shop.messages() == ["hello"]
    shop.admin.get("/admin/addons/toy/settings")
    Client(desk).get("/addons/toy/about")
    shop.admin.get(f"/w/{shop.workspace}/inbox")
    shop.admin.get(f"/w/{shop.workspace}/settings/channels")
    counted = {what for slug, _, what in in_process.metrics().seen() if slug == "toy"}
    assert {
        "register_channels",
        "register_webhook_routes",
        "addon_activated",
        "authenticate",
        "verify",
        "parse",
        "reply_policy",
        "admin page",
        "page toy_pages.about",
        "connect",
        "card status",
        "receiver ear",
    } <= counted
    assert json.dumps(sorted(counted))


def test_every_state_has_a_way_on() -> None:
    assert set(STATES) == set(AddonState)
    assert all(shown.recoverable or shown.otherwise for shown in STATES.values())
    assert [state for state, shown in STATES.items() if not shown.button] == [AddonState.ACTIVATING]
    assert all(str(shown.label) for shown in STATES.values())
    assert len(OPERATIONS) == 3
