"""Panels and composer actions of an addon: on the page, when pressed, and when the addon misbehaves."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from host.addons import lifecycle
from host.channels import timeouts
from host.core import db
from host.delivery.worker import drain
from host.models.inbox import Contact, Conversation
from host.models.users import User
from host.process.serving import HostApplication
from host.users import workspaces
from tests.addons.conftest import Admin, MakeZip
from tests.addons.test_toy_channel import connect, deliver
from tests.live.served import until

RENDER = '    """Show who the customer is, and one thing they own."""\n'


class Opened:
    """A desk with the toy and one conversation.

    :ivar beside: the path of the conversation; *contact* of its contact's page.
    """

    def __init__(self, desk: HostApplication, admin: Admin) -> None:
        self.desk, self.admin = desk, admin
        with db.read() as session:
            mia = session.scalars(sa.select(User.id)).one()
        self.workspace = db.write(workspaces.create, "Sample Pottery", mia).id
        uuid = connect(desk, self.workspace)
        assert deliver(desk, f"/addons/toy/webhook/{uuid}", "hello").status_code == 200
        drain(desk.generation)
        until(self._is_there)  # a worker of a started desk may be at it
        with db.read() as session:
            self.conversation = session.scalars(sa.select(Conversation.id)).one()
            self.contact_id = session.scalars(sa.select(Contact.id)).one()
        self.beside = f"/w/{self.workspace}/inbox/{self.conversation}"
        self.contact = f"/w/{self.workspace}/contacts/{self.contact_id}"

    def _is_there(self) -> bool:
        with db.read() as session:
            return session.scalar(sa.select(Conversation.id)) is not None

    def panel(self, path: str, name: str = "toy.things") -> Any:
        answer = self.admin.client.get(f"{path}/panels/{name}", headers={"Accept": "application/json"})
        assert answer.status_code == 200, answer.text
        return answer.json

    def press(self, path: str, name: str, value: str = "") -> Any:
        return self.admin.post(f"{path}/panels/toy.things/press", name=name, value=value).json


Open = Callable[..., Opened]


@pytest.fixture
def opened(desk: HostApplication, toy_zip: MakeZip) -> Iterator[Open]:
    """Open a desk with the toy, its panels changed as told: the text in panels.py, and what replaces it."""

    def make(**change: str) -> Opened:
        admin = Admin(desk)
        changes = {}
        if change:
            changes["toy/panels.py"] = lambda text: _replaced(text, change["old"], change["new"])
        lifecycle.install_file(desk.config, toy_zip(changes))
        outcome = lifecycle.activate(desk.config, "toy", host=desk)
        assert outcome.ok, outcome.error
        desk.start()
        return Opened(desk, admin)

    yield make
    timeouts._hung.clear()


def _replaced(text: str, old: str, new: str) -> str:
    assert text.count(old) == 1
    return text.replace(old, new)


def test_a_panel_is_loaded_after_the_page_and_shows_what_the_addon_knows(opened: Open) -> None:
    one = opened()
    for path in (one.beside, one.contact):
        page = one.admin.get(path).text
        assert f'data-addon-panel="{path}/panels/toy.things"' in page
        assert "Order 1001" not in page, "it would hold up the page"
        html = one.panel(path)["html"]
        assert 'href="https://toy.example/orders/1001"' in html
        assert "toy: bo" in html
        assert ">Bo<" in html
        assert f'data-panel-press="{path}/panels/toy.things/press"' in html


def test_a_button_inserts_a_text_or_shows_the_panel_again(opened: Open) -> None:
    one = opened()
    assert one.press(one.beside, "insert", "1001") == {"insert": "Your order 1001 is on its way."}
    assert one.press(one.contact, "count") == {"notice": "Counted.", "reload": True}


def test_a_composer_action_knows_the_customer(opened: Open) -> None:
    one = opened()
    assert 'data-addon-action="toy.greet"' in one.admin.get(one.beside).text
    answer = one.admin.post(f"{one.beside}/composer-actions/toy.greet")
    assert answer.json == {"insert": "Hello Bo, "}
    assert one.admin.post(f"{one.beside}/composer-actions/toy.other").status_code == 404


@pytest.mark.parametrize(
    "returns",
    [
        "raise RuntimeError('secret detail')",
        "return None",
        "return 'text'",
        "return [1]",
        "return [Paragraph('x' * 5_000_000)]",
        "return [Paragraph('x')] * 51",
        "return [Paragraph(None)]",
        "return [Entry('x', url='javascript:alert(1)')]",
        "return [Entry('x', tone='loud')]",
        "import sys; sys.exit()",
    ],
)
def test_a_panel_that_fails_says_so_and_the_page_goes_on(opened: Open, returns: str) -> None:
    one = opened(old=RENDER, new=f"{RENDER}    {returns}\n")
    found = one.panel(one.beside)
    assert found["failed"] is True
    assert "Toy channel could not load this." in found["html"]
    assert "data-panel-reload" in found["html"]
    assert "secret detail" not in found["html"]
    assert "hello" in one.admin.get(one.beside).text


ACTION = (
    "The action failed because of an error in Toy channel. Try again. If it keeps happening, tell an admin."
)


@pytest.mark.parametrize(
    ("old", "path"),
    [
        ('    """Greet the customer by name."""\n', "composer-actions/toy.greet"),
        ('    """Insert an order, or count it."""\n', "panels/toy.things/press"),
    ],
)
def test_an_action_that_fails_says_which_addon_and_what_to_do(opened: Open, old: str, path: str) -> None:
    one = opened(old=old, new=f"{old}    raise RuntimeError('secret detail')\n")
    assert one.admin.post(f"{one.beside}/{path}", name="count").json == {"notice": ACTION, "failed": True}


def test_an_action_that_hangs_says_so(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    goes_on = threading.Event()
    monkeypatch.setattr("tests.addons.test_panels.GOES_ON", goes_on, raising=False)
    old = '    """Greet the customer by name."""\n'
    code = "import sys; sys.modules['tests.addons.test_panels'].GOES_ON.wait(60)"
    one = opened(old=old, new=f"{old}    {code}\n")
    action = one.desk.generation().directory.composer_actions["toy.greet"]
    object.__setattr__(action, "seconds", 0.05)
    try:
        said = one.admin.post(f"{one.beside}/composer-actions/toy.greet").json["notice"]
    finally:
        goes_on.set()
    assert said == (
        "The action failed: Toy channel did not answer within 0.05 seconds. "
        "Try again later. If it keeps happening, tell an admin."
    )


def test_what_a_panel_shows_is_text(opened: Open) -> None:
    html = "<script>alert(1)</script><img src=x onerror=alert(1)>"
    entry = (
        f"Entry({html!r}, detail={html!r}, badge={html!r}, buttons=[Button({html!r}, {html!r}, {html!r})])"
    )
    one = opened(
        old=RENDER, new=f"{RENDER}    return [Paragraph({html!r}), Facts([({html!r}, {html!r})]), {entry}]\n"
    )
    found = one.panel(one.beside)
    assert found["failed"] is False
    assert "<script" not in found["html"]
    assert "<img" not in found["html"]
    assert found["html"].count("&lt;script") >= 6


def test_a_panel_that_hangs_costs_one_thread_and_its_time(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    goes_on = threading.Event()
    monkeypatch.setattr("tests.addons.test_panels.GOES_ON", goes_on, raising=False)
    code = "import sys; sys.modules['tests.addons.test_panels'].GOES_ON.wait(60)"
    one = opened(old=RENDER, new=f"{RENDER}    {code}\n")
    _quick(one, monkeypatch)
    try:
        before = threading.active_count()
        for _ in range(3):
            assert "Toy channel did not answer within 0.05 seconds." in one.panel(one.beside)["html"]
        assert threading.active_count() <= before + 1
        assert timeouts.within(30, "tool toy.things", lambda: "fine") == "fine", "a tool of the same name"
        assert one.admin.get(one.beside).status_code == 200
    finally:
        goes_on.set()


def _quick(one: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    panel = one.desk.generation().directory.panels["toy.things"]
    object.__setattr__(panel, "seconds", 0.05)


def test_ids_out_of_sight_do_not_exist(opened: Open) -> None:
    one = opened()
    with db.read() as session:
        mia = session.scalars(sa.select(User.id)).one()
    other = db.write(workspaces.create, "Sample Textiles", mia).id
    for path in (
        f"/w/{other}/inbox/{one.conversation}/panels/toy.things",
        f"/w/{other}/contacts/{one.contact_id}/panels/toy.things",
        f"{one.beside}/panels/toy.nothing",
        f"{one.beside}999/panels/toy.things",
    ):
        assert one.admin.client.get(path).status_code == 404, path
    assert (
        one.admin.post(f"/w/{other}/inbox/{one.conversation}/composer-actions/toy.greet").status_code == 404
    )


def test_without_the_addon_there_is_no_panel_and_an_open_page_says_so(opened: Open) -> None:
    one = opened()
    lifecycle.deactivate(one.desk.config, "toy", host=one.desk)
    assert "data-addon-panel=" not in one.admin.get(one.beside).text
    answer = one.admin.client.get(f"{one.beside}/panels/toy.things", headers={"Accept": "application/json"})
    assert answer.status_code == 404
    assert answer.json["error"]["message"] == "This addon is no longer active.", answer.json


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('Panel("toy.things", "Things"', 'Panel("things", "Things"', "the name 'things' must be toy.<word>"),
        (
            '"Things", render, press=press',
            '"Things", render, press=press, seconds=60',
            "'toy.things' wants 60",
        ),
        ("press=press)]", "press=press), Panel('toy.things', 'T', render)]", "two have the same name"),
        ('"Things", render, press=press', '"Things", render, places=()', "'toy.things' has no place"),
        ("insert_greeting, Icon.USER", "insert_greeting, 'rocket'", "has an icon that Lobby does not have"),
        (
            'PANELS = [Panel("toy.things", "Things", render, press=press)]',
            "PANELS = None",
            "register_panels: returned None instead of a list.",
        ),
    ],
)
def test_a_wrong_registration_is_refused_with_a_reason(
    desk: HostApplication, toy_zip: MakeZip, old: str, new: str, said: str
) -> None:
    lifecycle.install_file(desk.config, toy_zip({"toy/panels.py": lambda text: _replaced(text, old, new)}))
    outcome = lifecycle.activate(desk.config, "toy", host=desk)
    assert not outcome.ok
    assert outcome.error is not None
    assert said in str(outcome.error.sentence if hasattr(outcome.error, "sentence") else outcome.error)
