"""Calls somebody waits for that hang: each is answered in time, and an addon's hung threads are few.

What hangs here hangs in C, where nothing can interrupt it. The same for other calls: ``test_hanging.py``.
"""

from __future__ import annotations

import html
import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from werkzeug.test import Client

from host import recording
from host.addons import lifecycle
from host.addons.metrics import in_process
from host.addons.package.build import build_addon
from host.api.http import addon_routes
from host.assistants import tools
from host.automation import asking_addons
from host.automation.asking_addons import Question
from host.channels import timeouts
from host.core import call_budget, db
from host.delivery.worker import drain
from host.models.channels import ChannelAccount
from host.models.channels import ref as account_ref
from host.models.inbox import Conversation
from host.models.users import AuditEntry, User
from host.process.serving import HostApplication
from host.sdk.rules import AskedAbout
from host.users import api_keys
from host.users.api_keys import Scope
from tests.addons.conftest import Admin, MakeZip, configuration
from tests.addons.test_panels import Opened
from tests.addons.test_toy_channel import deliver
from tests.hanging import FOR_EVER, Hang
from tests.hanging import hanging as hanging_in_c
from tests.helpers import do
from tests.live.served import until as seen

TELEGRAM = Path(__file__).resolve().parents[2] / "addons" / "telegram"
PLACES = {
    "panel": ("toy/panels.py", '    """Show who the customer is, and one thing they own."""\n'),
    "press": ("toy/panels.py", '    """Insert an order, or count it."""\n'),
    "composer": ("toy/panels.py", '    """Greet the customer by name."""\n'),
    "route": ("toy/api.py", '    """Greet somebody by name."""\n'),
    "tool": ("toy/rules.py", '    """Wave at the customer, once for each key."""\n'),
    "condition": ("toy/rules.py", '    """Count."""\n'),
}
"""What hangs -> the file of the toy, and the docstring after which it does."""
GATHERS = '''

def gather(about):
    """Count."""
    return [{} for _ in about]
'''
PAUSED = "isn't called at the moment, because 3 of its calls haven't returned."


class Calls(Opened):
    """A desk with the toy and one conversation, and somebody who calls each kind of function."""

    def __init__(self, desk: HostApplication, admin: Admin) -> None:
        super().__init__(desk, admin)
        with db.read() as session:
            mia = session.scalars(sa.select(User.id)).one()
            self.account = account_ref(session.scalars(sa.select(ChannelAccount)).one())
        self.token = do(api_keys.create, self.workspace, "Program", (Scope.CONTACTS_READ,), actor=mia)

    def beside_of(self, customer: str) -> str:
        """Return the path of a new conversation of *customer*."""
        with db.read() as session:
            uuid = session.scalars(sa.select(ChannelAccount.uuid)).one()
            known = set(session.scalars(sa.select(Conversation.id)))
        address = f"/addons/toy/webhook/{uuid}"
        assert deliver(self.desk, address, f"hello-{customer}", customer=customer).status_code == 200
        drain(self.desk.generation)
        found: list[int] = []

        def is_there() -> bool:
            with db.read() as session:
                found[:] = set(session.scalars(sa.select(Conversation.id))) - known
            return bool(found)

        seen(is_there)
        return f"/w/{self.workspace}/inbox/{found[0]}"

    def call(self, kind: str) -> str:
        """Return ``fine``, or what the caller reads instead."""
        called = getattr(self, f"_{kind}")()
        return str(called)

    def _panel(self) -> str:
        found = self.panel(self.beside)
        return html.unescape(found["html"]) if found["failed"] else "fine"

    def _press(self) -> str:
        found = self.press(self.beside, "insert", "1")
        return found["notice"] if found.get("failed") else "fine"

    def _composer(self) -> str:
        found = self.admin.post(f"{self.beside}/composer-actions/toy.greet").json
        return found["notice"] if found.get("failed") else "fine"

    def _route(self) -> str:
        answer: Any = Client(self.desk).get(
            "/api/v1/addons/toy/greeting?firstName=Ana", headers={"Authorization": f"Bearer {self.token}"}
        )
        if answer.status_code == 200:
            return "fine"
        assert (answer.status_code, answer.json["error"]["code"]) == (502, "addon_failed")
        return str(answer.json["error"]["message"])

    def _tool(self) -> str:
        tool = self.desk.generation().directory.tools["toy.wave"]
        try:
            tools._brought(tool, self.workspace, self.conversation).use({}, "key")
        except tools._FailedError as error:
            return str(error)
        return "fine"

    def _condition(self) -> str:
        condition = self.desk.generation().directory.conditions["toy.long"]
        about = {1: AskedAbout(self.account, "text", "Hello", {}, {})}
        asked = [Question(condition, key, key, "40", one, ()) for key, one in about.items()]
        return "fine" if asking_addons._with_facts(condition, asked) else "not met"


KINDS = tuple(PLACES)
HANGS = {
    "panel": "Toy channel did not answer within 0.05 seconds.",
    "press": "Toy channel did not answer within 0.05 seconds.",
    "composer": "Toy channel did not answer within 0.05 seconds.",
    "route": "The addon could not answer.",
    "tool": "it does not answer in time, and nobody knows whether it was done",
    "condition": "not met",
}


@pytest.fixture(autouse=True)
def _nothing_seen() -> Iterator[None]:
    in_process.reset()
    recording.reset()
    yield
    in_process.reset()
    timeouts._hung.clear()


@pytest.fixture
def serving(database: db.Database, data: Path) -> Iterator[HostApplication]:
    application = HostApplication(configuration(database, data))
    yield application
    application.close(patience=0.1)


@pytest.fixture
def hang(serving: HostApplication, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hang]:
    whats = ("panel toy.things", "composer toy.greet", "tool toy.wave")
    with hanging_in_c(serving.config.data, monkeypatch, *whats) as found:
        call_budget.watch(serving._note_hung)
        yield found
        go_on(found)


Open = Callable[..., Calls]


@pytest.fixture
def opened(serving: HostApplication, hang: Hang, toy_zip: MakeZip, monkeypatch: pytest.MonkeyPatch) -> Open:
    """Open a desk with a toy that hangs in functions of some kinds while the fuse is there.

    Its callers wait a moment. Unless *ended*, no budget ends a call.
    """

    def make(*kinds: str, ended: bool = False) -> Calls:
        if not ended:
            monkeypatch.setattr(call_budget, "seconds_for", lambda _what: FOR_EVER)
        changes: dict[str, Any] = {}
        for kind in kinds:
            file, docstring = PLACES[kind]
            changes.setdefault(file, []).append((docstring, f"{docstring}    {hang.code}\n"))
        changes.setdefault("toy/rules.py", []).insert(0, ("is_long, SIZES)", "is_long, SIZES, facts=gather)"))
        changes["toy/rules.py"].insert(0, ("\n\ndef thank(", f"{GATHERS}\n\ndef thank("))
        admin = Admin(serving)
        sources = {file: lambda text, pairs=pairs: replaced(text, pairs) for file, pairs in changes.items()}
        lifecycle.install_file(serving.config, toy_zip(sources))
        outcome = lifecycle.activate(serving.config, "toy", host=serving)
        assert outcome.ok, outcome.error
        serving.start()
        found = Calls(serving, admin)
        directory = serving.generation().directory
        object.__setattr__(directory.panels["toy.things"], "seconds", 0.05)
        object.__setattr__(directory.composer_actions["toy.greet"], "seconds", 0.05)
        for module, name in ((addon_routes, "SECONDS"), (tools, "SECONDS"), (asking_addons, "FACTS_SECONDS")):
            monkeypatch.setattr(module, name, 0.05)
        return found

    return make


def replaced(text: str, pairs: list[tuple[str, str]]) -> str:
    for old, new in pairs:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


def go_on(hang: Hang) -> None:
    """Let what hangs return, and wait until its threads are over."""
    hang.fuse.unlink(missing_ok=True)
    deadline = time.monotonic() + 60
    while any(timeouts._hung.values()):
        assert time.monotonic() < deadline
        with suppress(OSError):
            os.close(os.open(hang.pipe, os.O_WRONLY | os.O_NONBLOCK))
        time.sleep(0.01)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_call_that_hangs_is_answered_in_time_and_costs_one_thread(
    opened: Open, hang: Hang, kind: str
) -> None:
    calls = opened(kind)
    hang.fuse.touch()
    for _ in range(5):
        assert HANGS[kind] in calls.call(kind)
    assert hang.count == 1
    others = [one for one in KINDS if {one, kind} != {"panel", "press"} and one != kind]
    assert [calls.call(one) for one in others] == ["fine"] * len(others), "only it hangs"
    go_on(hang)
    assert calls.call(kind) == "fine"


def test_while_many_calls_hang_nothing_of_the_addon_is_called_and_everything_else_goes_on(
    opened: Open, hang: Hang, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timeouts, "MOST_OF_ADDON", 3)
    calls = opened("panel", "composer", "route")
    hang.fuse.touch()
    for kind in ("panel", "composer", "route"):
        assert HANGS[kind] in calls.call(kind)
    assert hang.count == 3
    hang.fuse.unlink()  # a call would return now: none is made
    for kind in ("press", "panel", "composer", "route"):
        assert PAUSED in calls.call(kind)
    assert "The addon Toy channel isn't" in calls.call("press")
    assert "an admin can deactivate the addon, or restart Lobby." in calls.call("press")
    assert calls.call("tool") == "its addon hangs, so it was not called and nothing was done"
    assert calls.call("condition") == "not met"
    assert hang.count == 3

    recording.flush()
    health = calls.admin.get("/admin/health").text
    card = calls.admin.get("/admin/addons").text
    for function in ("panel toy.things", "composer toy.greet", "route toy.get_greeting"):
        said = f"1 call of “{function}” of the addon toy did not return in time within the last hour."
        assert said in health
        assert f"1 call of “{function}” did not return in time within the last hour." in card

    assert calls.admin.get(calls.beside).status_code == 200
    assert timeouts.within(30, "panel other.things", lambda: "fine") == "fine"
    build_addon(TELEGRAM, tmp_path / "telegram.zip")
    lifecycle.install_file(calls.desk.config, tmp_path / "telegram.zip")
    assert lifecycle.activate(calls.desk.config, "telegram", host=calls.desk).ok
    go_on(hang)
    assert [calls.call(kind) for kind in KINDS] == ["fine"] * len(KINDS)


@pytest.mark.parametrize("kind", ["panel", "composer"])
def test_what_hangs_for_one_customer_is_called_for_others(opened: Open, hang: Hang, kind: str) -> None:
    calls = opened(kind)
    bo, ana = calls.beside, calls.beside_of("ana")
    hang.fuse.touch()
    assert HANGS[kind] in calls.call(kind)
    hang.fuse.unlink()  # for her it would return
    calls.beside = ana
    assert calls.call(kind) == "fine"
    calls.beside = bo
    assert HANGS[kind] in calls.call(kind), "his still hangs, so it isn't repeated"
    assert hang.count == 1


def test_while_it_hangs_for_three_customers_a_function_is_called_for_nobody_and_others_are(
    opened: Open, hang: Hang
) -> None:
    calls = opened("panel")
    besides = [calls.beside, *(calls.beside_of(name) for name in ("ana", "eve", "max"))]
    hang.fuse.touch()
    for calls.beside in besides[:3]:
        assert HANGS["panel"] in calls.call("panel")
    hang.fuse.unlink()
    calls.beside = besides[3]
    said = calls.call("panel")
    assert "Toy channel isn't asked for this at the moment, because 3 such calls haven't returned." in said
    assert calls.call("composer") == "fine"
    assert hang.count == 3


@pytest.mark.slow
def test_a_function_whose_calls_hang_for_three_customers_replaces_the_process(
    opened: Open, hang: Hang, until: Callable[..., None]
) -> None:
    calls = opened("panel", "composer", "tool", ended=True)
    besides = [calls.beside, *(calls.beside_of(name) for name in ("ana", "eve"))]
    replacing: list[int] = []
    calls.desk.on_replacement = lambda: replacing.append(1)
    hang.fuse.touch()
    for kind in ("panel", "composer", "tool"):
        assert HANGS[kind] in calls.call(kind)
    until(lambda: len(calls.desk._hung.get("toy", ())) == 3)
    assert not replacing, "each hangs for one customer"
    for calls.beside in besides[1:]:
        assert HANGS["panel"] in calls.call("panel")
    until(lambda: replacing)
    assert "toy" in calls.desk.generation().failures
    assert calls.admin.client.get(f"{calls.beside}/panels/toy.things").status_code == 404
    assert "Its code kept hanging, so it is off in this process." in calls.admin.get("/admin/health").text
    assert "Its code kept hanging, so it is off in this process." in calls.admin.get("/admin/addons").text
    with db.read() as session:
        query = sa.select(AuditEntry.action).where(AuditEntry.subject == "toy").order_by(AuditEntry.id)
        assert list(session.scalars(query))[-1] == "addon.process_replaced"
