"""An addon that hangs holds nothing but its own threads, and is switched off before these are too many."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from host import counters, recording
from host.addons import lifecycle
from host.addons.metrics import in_process
from host.addons.operation_lock import is_running
from host.addons.package.build import build_addon
from host.addons.records import REPLACED_ONCE_IN
from host.addons.running import jobs
from host.core import call_budget, clock, db
from host.models.addons import Addon, AddonState
from host.models.inbox import Message
from host.models.users import AuditEntry, InstallationValue, User
from host.process.asgi import AsgiApplication
from host.process.serving import HANGS, HostApplication
from host.sdk.pages import Job
from host.users import workspaces
from tests.addons.conftest import Admin, MakeZip, configuration
from tests.addons.test_toy_channel import connect, deliver
from tests.hanging import Hang, hanging
from tests.helpers import on_a_loop

TELEGRAM = Path(__file__).resolve().parents[2] / "addons" / "telegram"
PLACES = {
    "register_jobs": ("toy/addon.py", "    return [Job("),
    "parse": ("toy/channel.py", "        try:\n            event"),
    "authenticate": ("toy/webhook.py", "    account_id, secret ="),
    "job sweep": ("toy/events.py", '    note("swept")'),
    "page toy_pages.about": (
        "toy/pages.py",
        '    return render_template("toy/page.html", text="for everybody")',
    ),
    "listener toy.parcels": ("toy/listeners.py", "    for event in events:"),
}
"""What hangs -> the file of the toy, and the text before which it does."""


@pytest.fixture(autouse=True)
def _nothing_seen() -> Iterator[None]:
    in_process.reset()
    yield
    in_process.reset()


@pytest.fixture
def serving(database: db.Database, data: Path) -> Iterator[HostApplication]:
    """A desk that delivers, not started yet."""
    application = HostApplication(configuration(database, data, LOBBY_WORKERS="1"))
    yield application
    application.close(patience=0.1)


@pytest.fixture
def hang(serving: HostApplication, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hang]:
    with hanging(serving.config.data, monkeypatch, *PLACES) as found:
        call_budget.watch(serving._note_hung)
        yield found


def activated(desk: HostApplication, make: MakeZip, hang: Hang, what: str, **more: Any) -> None:
    """Have *desk* run a toy that hangs in *what* while the fuse is there, with *more* changes."""
    file, before = PLACES[what]
    indent = before[: len(before) - len(before.lstrip(" "))]

    def change(text: str) -> str:
        assert text.count(before) == 1
        return text.replace(before, f"{indent}{hang.code}\n{before}")

    lifecycle.install_file(desk.config, make({file: change, **more}))
    outcome = lifecycle.activate(desk.config, "toy", host=desk)
    assert outcome.ok, outcome.error


def state_of(slug: str) -> str:
    with db.read() as session:
        return session.get_one(Addon, slug).state


def audited() -> list[str]:
    with db.read() as session:
        query = sa.select(AuditEntry.action).where(AuditEntry.subject == "toy").order_by(AuditEntry.id)
        return list(session.scalars(query))


def page(desk: HostApplication, path: str) -> int:
    """Return the status of a page, as the server gets it."""
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    async def ask() -> None:
        scope = {
            "type": "http",
            "method": "GET",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "scheme": "http",
            "http_version": "1.1",
            "headers": [(b"host", b"localhost")],
            "server": ("localhost", 80),
            "client": ("127.0.0.1", 1),
        }
        await AsgiApplication(desk)(scope, receive, send)

    on_a_loop(ask())
    return int(sent[0]["status"])


# Registering


@pytest.mark.slow
def test_a_register_hook_that_hangs_only_here_leaves_the_lock_free(
    serving: HostApplication, hang: Hang, toy_zip: MakeZip
) -> None:
    activated(serving, toy_zip, hang, "register_jobs")
    lifecycle.deactivate(serving.config, "toy", host=serving)
    hang.fuse.touch()
    outcome = lifecycle.activate(serving.config, "toy", host=serving)
    assert outcome.error is not None
    assert outcome.error["sentence"] == "Its code hung while starting."
    assert not is_running(serving.config)
    hang.let_go()
    assert lifecycle.activate(serving.config, "toy", host=serving).ok
    assert "toy" in serving.generation().releases


def test_another_addon_is_activated_meanwhile(
    serving: HostApplication, hang: Hang, toy_zip: MakeZip, tmp_path: Path
) -> None:
    activated(serving, toy_zip, hang, "register_jobs")
    hang.fuse.touch()
    build_addon(TELEGRAM, tmp_path / "telegram.zip")
    lifecycle.install_file(serving.config, tmp_path / "telegram.zip")
    outcome = lifecycle.activate(serving.config, "telegram", host=serving)
    assert outcome.ok, outcome.error
    assert "telegram" in serving.generation().releases
    assert set(serving.generation().failures) == {"toy"}
    assert state_of("toy") == AddonState.ACTIVE, "other processes may run it"


# Serving


def test_a_page_that_hangs_is_answered(serving: HostApplication, hang: Hang, toy_zip: MakeZip) -> None:
    activated(serving, toy_zip, hang, "page toy_pages.about")
    assert page(serving, "/addons/toy/about") == 200
    hang.fuse.touch()
    assert page(serving, "/addons/toy/about") == 503
    hang.let_go()
    assert page(serving, "/addons/toy/about") == 200


def test_a_page_that_is_slow_is_ended_and_answered(
    serving: HostApplication, hang: Hang, toy_zip: MakeZip
) -> None:
    hang.code = hang.code.replace("here.enter", "here.spin")
    activated(serving, toy_zip, hang, "page toy_pages.about")
    assert page(serving, "/addons/toy/about") == 200
    hang.fuse.touch()
    assert page(serving, "/addons/toy/about") == 503
    hang.fuse.unlink()
    assert page(serving, "/addons/toy/about") == 200


class Shop:
    """A workspace with a toy account on a started desk."""

    def __init__(self, desk: HostApplication) -> None:
        self.desk = desk
        self.admin = Admin(desk)
        with db.read() as session:
            mia = session.scalars(sa.select(User.id)).one()
        self.workspace = db.write(workspaces.create, "Sample Pottery", mia).id
        self.uuid = connect(desk, self.workspace)
        desk.start()

    def send(self, *texts: str) -> int:
        return int(deliver(self.desk, f"/addons/toy/webhook/{self.uuid}", *texts).status_code)

    def texts(self) -> list[str]:
        with db.read() as session:
            return sorted(session.scalars(sa.select(Message.text)))


def test_a_webhook_that_hangs_is_answered_for_its_provider_to_send_again(
    serving: HostApplication, hang: Hang, toy_zip: MakeZip, until: Callable[..., None]
) -> None:
    activated(serving, toy_zip, hang, "authenticate")
    shop = Shop(serving)
    until(lambda: shop.send() == 200)
    hang.fuse.touch()
    assert shop.send("again") == 503
    hang.let_go()
    assert shop.send("again") == 200
    until(lambda: shop.texts() == ["again"])


def test_an_event_that_hangs_is_read_again_and_others_wait_no_longer(
    serving: HostApplication, hang: Hang, toy_zip: MakeZip, until: Callable[..., None]
) -> None:
    activated(serving, toy_zip, hang, "parse")
    shop = Shop(serving)
    until(lambda: shop.send() == 200)
    hang.fuse.touch()
    assert shop.send("hello") == 200
    until(lambda: hang.count == 1)
    hang.fuse.unlink()
    until(lambda: shop.texts() == ["hello"])
    assert call_budget.are_stuck(), "another thread has read it"


def test_a_job_that_hangs_holds_no_other(
    serving: HostApplication,
    hang: Hang,
    toy_zip: MakeZip,
    until: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(jobs, "TICK_SECONDS", 0.05)
    activated(serving, toy_zip, hang, "job sweep")
    ran: list[int] = []
    (runner,) = [part for part in serving._beside if isinstance(part, jobs.JobRunner)]
    monkeypatch.setattr(runner, "_beside", lambda: ran.append(1))
    hang.fuse.touch()
    serving.start()
    until(lambda: hang.count == 1)
    until(call_budget.are_stuck)
    ran.clear()
    until(lambda: len(ran) > 2)
    until(lambda: runner._hanging)
    replaced: list[int] = []
    serving.on_replacement = lambda: replaced.append(1)
    with clock.travel(timedelta(hours=1, minutes=1)):
        runs = len(ran)
        until(lambda: len(ran) > runs + 2)
        assert hang.count == 1, "it is due, but not started beside the one that hangs"
        recording.flush()
        health = Admin(serving).get("/admin/health").text
    assert "1 call of “job sweep” of the addon toy did not return in time within the last hour." in health
    hang.fuse.unlink()
    hang.let_go()
    until(lambda: not runner._hanging)
    with clock.travel(timedelta(hours=2, minutes=2)):
        until(lambda: claimed_since(clock.now() - timedelta(minutes=1)))
    assert not replaced


def claimed_since(time: datetime) -> bool:
    with db.read() as session:
        due = session.get_one(InstallationValue, "job:toy:sweep").value
    return datetime.fromisoformat(due) >= time + timedelta(hours=1)


@pytest.mark.slow
def test_a_job_that_waits_for_an_endless_program_is_ended_with_it(
    serving: HostApplication,
    hang: Hang,
    toy_zip: MakeZip,
    until: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(jobs, "TICK_SECONDS", 0.05)
    sleeps = '    import subprocess, sys; subprocess.run(["sleep", "10000"])\n    note("swept")'
    places = {**PLACES, "job sweep": ("toy/events.py", '    note("swept")')}
    file, before = places["job sweep"]
    lifecycle.install_file(serving.config, toy_zip({file: lambda text: text.replace(before, sleeps)}))
    assert lifecycle.activate(serving.config, "toy", host=serving).ok
    (runner,) = [part for part in serving._beside if isinstance(part, jobs.JobRunner)]
    serving.start()
    until(lambda: "which a job that cannot be ended had started, was killed" in caplog.text)
    until(lambda: not runner._of_addons and not runner._hanging)
    assert not call_budget.are_stuck()


def test_the_endless_job_of_an_addon_holds_up_no_other_addon(
    database: db.Database, until: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "TICK_SECONDS", 0.05)
    goes_on, ran = threading.Event(), []

    def waits() -> None:
        goes_on.wait(60)

    found = [
        ("slow", Job("waits", timedelta(hours=1), waits)),
        ("slow", Job("behind", timedelta(hours=1), lambda: ran.append("behind"))),
        ("other", Job("quick", timedelta(hours=1), lambda: ran.append("quick"))),
    ]
    runner = jobs.JobRunner(lambda: found)
    runner.start()
    try:
        until(lambda: ran == ["quick"])
    finally:
        goes_on.set()
    until(lambda: ran == ["quick", "behind"])
    runner.stop()


# Switching off


def hangs_often(desk: HostApplication) -> None:
    for _ in range(HANGS):
        assert page(desk, "/addons/toy/about") == 503


@pytest.mark.slow
def test_a_listener_that_hangs_holds_nobody_up_and_replaces_the_process_the_third_time(
    serving: HostApplication, hang: Hang, toy_zip: MakeZip, until: Callable[..., None]
) -> None:
    hears = {"toy/addon.py": lambda text: text.replace('["conversation.labelled"]', '["message.received"]')}
    activated(serving, toy_zip, hang, "listener toy.parcels", **hears)
    shop = Shop(serving)
    replaced: list[int] = []
    serving.on_replacement = lambda: replaced.append(1)
    hang.fuse.touch()
    until(lambda: shop.send("first") == 200)
    until(lambda: hang.count == 1)
    assert shop.send("second") == 200
    until(lambda: shop.texts() == ["first", "second"])
    until(lambda: replaced)
    assert set(serving.generation().failures) == {"toy"}
    # It is called again until it is off, which takes longer than its budget here.
    began = hang.count
    assert began >= HANGS
    time.sleep(1)
    assert hang.count == began, "no more threads than that"
    assert "Its code kept hanging, so it is off in this process." in shop.admin.get("/admin/health").text
    assert audited()[-1] == "addon.process_replaced"


@pytest.mark.slow
def test_three_hangs_replace_the_process_and_three_more_within_the_hour_switch_it_off(
    serving: HostApplication, hang: Hang, toy_zip: MakeZip, until: Callable[..., None]
) -> None:
    activated(serving, toy_zip, hang, "page toy_pages.about")
    replaced: list[int] = []
    serving.on_replacement = lambda: replaced.append(1)
    admin = Admin(serving)
    hang.fuse.touch()
    hangs_often(serving)
    until(lambda: replaced)
    assert state_of("toy") == AddonState.ACTIVE, "the next process runs it"
    assert "toy" in serving.generation().failures
    assert page(serving, "/addons/toy/about") == 404
    assert "Its code kept hanging, so it is off in this process." in admin.get("/admin/health").text
    assert audited()[-1] == "addon.process_replaced"

    counters.reset()
    following = HostApplication(serving.config)
    following.on_replacement = lambda: replaced.append(2)
    assert "toy" in following.generation().releases
    hangs_often(following)
    until(lambda: state_of("toy") == AddonState.QUARANTINED)
    until(lambda: "toy" not in following.generation().releases)
    assert replaced == [1], "one replacement an hour"
    assert audited()[-1] == "addon.quarantined"
    counters.forget()
    assert "The addon kept hanging and was deactivated." in admin.get("/admin/health").text

    # Another version of the host does not bring it back: an admin does.
    assert lifecycle.retry_quarantined(following.config) == []
    hang.let_go()
    answer = admin.activate()
    assert "Addon activated." in answer.text
    until(lambda: "toy" in following.generation().releases)
    assert page(following, "/addons/toy/about") == 200
    following.close()


def test_after_an_hour_the_process_is_replaced_again(
    serving: HostApplication, hang: Hang, toy_zip: MakeZip
) -> None:
    activated(serving, toy_zip, hang, "page toy_pages.about")
    assert lifecycle.note_hung("toy", "page", "here") is True
    with clock.travel(REPLACED_ONCE_IN + timedelta(seconds=1)):
        assert lifecycle.note_hung("toy", "page", "here") is True
        assert lifecycle.note_hung("toy", "page", "here") is False
        assert lifecycle.note_hung("toy", "page", "here") is None, "it does not run any more"
