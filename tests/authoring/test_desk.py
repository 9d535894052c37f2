"""The desk that addons are tried on, with the addon that implements every hook."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from host.authoring.desk import NotActivatedError, RefusedByCardError, trial_desk
from host.sdk import clock
from host.sdk.panels import Entry, Facts, InsertText, ShowNotice
from host.sdk.rules import SendText

ROOT = Path(__file__).resolve().parents[2]
TOY = ROOT / "tests/toy"
SECRET = "a secret of the toy"


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    """A copy of the toy to spoil."""
    return Path(shutil.copytree(TOY, tmp_path / "toy", ignore=shutil.ignore_patterns("__pycache__")))


@pytest.mark.slow
def test_everything_an_addon_does_can_be_tried(tmp_path: Path) -> None:
    began = clock.now()
    with trial_desk(TOY, tmp_path / "desk", settings={"greeting": "good morning"}) as desk:
        events = desk.module("events")
        desk.run_job("sweep")
        assert events.happened == ["swept"]
        assert "good morning" in desk.get("/admin/addons/toy/settings").text
        assert desk.adapter("toy").label == "Toy"
        for missing in (desk.adapter, desk.run_job):
            with pytest.raises(KeyError):
                missing("nothing")

        with pytest.raises(RefusedByCardError, match="eight characters") as refused:
            desk.connect("toy", {"handle": "ann", "secret": "short"})
        assert set(refused.value.problems) == {"secret"}
        account = desk.connect("toy", {"handle": "ann", "secret": SECRET})

        def deliver(text: str) -> int:
            event = {"from": "bo", "id": text, "text": text, "at": int(clock.now().timestamp() * 1000)}
            body = json.dumps({"events": [event]}).encode()
            signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
            return desk.post(
                f"/webhooks/toy/{account.uuid}", body, {"X-Toy-Signature": signature}
            ).status_code

        assert desk.messages("bo") == []
        assert deliver("hello") == 200
        desk.work()
        desk.reply("bo", "Hi!")
        desk.work()
        assert [(each.direction, each.text, each.state) for each in desk.messages("bo")] == [
            ("inbound", "hello", None),
            ("outbound", "Hi!", "sent"),
        ]
        desk.later(timedelta(days=2))
        with pytest.raises(Exception, match="The toy's day is over"):
            desk.reply("bo", "Too late")
        desk.disconnect(account)
        assert deliver("late") == 401
    assert clock.now() - began < timedelta(hours=1), "the time the desk let pass is over with it"


@pytest.mark.slow
def test_what_works_beside_conversations_can_be_tried_without_a_provider(toy: Path, tmp_path: Path) -> None:
    with trial_desk(toy, tmp_path / "desk") as desk:
        conversation_id = desk.receive("bo", "I have been waiting for a parcel, since Monday, I think.")
        desk.receive("bo", "No, Tuesday.", name="Bo", email="bo@example.com")
        customer = desk.customer("bo")
        assert (customer.name, customer.email) == ("Bo", "bo@example.com")
        assert customer.conversation_id == conversation_id
        facts, entry, _help = desk.render("toy.things", "bo")
        assert facts == Facts([("Name", "Bo"), ("Reached at", "toy: bo")])
        assert isinstance(entry, Entry)
        assert desk.press("toy.things", "bo", "insert", "7") == InsertText("Your order 7 is on its way.")
        assert desk.press("toy.things", "bo", "count") == ShowNotice("Counted.", reload=True)
        assert desk.compose("toy.greet", "bo") == InsertText("Hello Bo, ")

        assert not desk.holds("toy.long", "bo", "40"), "the newest message is short"
        assert desk.plan("toy.thank", "bo") == SendText("Thank you!")
        assert desk.use("toy.opens", "bo", {"day": "Monday"}) == "On Monday the shop opens at nine."
        desk.receive("bo", "I have been waiting for a parcel, since Monday, I think.")
        assert desk.holds("toy.long", "bo", "40")

        desk.work()
        desk.module("listeners").toys_desk.add_label(conversation_id, "parcel", key="a label")
        desk.work()
        assert "The parcel is on its way." not in [one.text for one in desk.messages("bo")], "its own change"
        for unknown in (desk.customer, lambda name: desk.render("toy.nothing", "bo")):
            with pytest.raises(KeyError):
                unknown("nobody")


@pytest.mark.slow
def test_the_addons_own_exceptions_reach_its_tests(toy: Path, tmp_path: Path) -> None:
    path = toy / "toy/panels.py"
    raises = '    """Show who the customer is, and one thing they own."""\n'
    path.write_text(path.read_text().replace(raises, f"{raises}    1 / 0\n"))
    with trial_desk(toy, tmp_path / "desk") as desk:
        desk.receive("bo", "Hello?")
        with pytest.raises(ZeroDivisionError):
            desk.render("toy.things", "bo")


@pytest.mark.slow
def test_it_works_from_a_relative_environment_and_with_relative_folders(toy: Path, tmp_path: Path) -> None:
    (tmp_path / ".venv").symlink_to(sys.prefix)
    code = (
        "import sys; from pathlib import Path; from host.authoring.desk import trial_desk\n"
        "assert not Path(sys.executable).is_absolute(), sys.executable\n"
        "with trial_desk(Path('toy'), Path('data')) as desk: print(desk.adapter('toy').label)"
    )
    path = f".venv/bin:{os.environ['PATH']}"
    ended = subprocess.run(
        ["python", "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PATH": path, "PYTHONPATH": os.path.relpath(ROOT, tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (0, "Toy\n"), ended.stderr


@pytest.mark.slow
def test_an_addon_the_desk_does_not_take_says_why(toy: Path, tmp_path: Path) -> None:
    path = toy / "migrations" / "versions" / "0001_accounts.py"
    path.write_text(
        path.read_text().replace("def upgrade() -> None:\n", "def upgrade() -> None:\n    1 / 0\n")
    )
    with pytest.raises(NotActivatedError, match="Migration 0001 failed"):
        with trial_desk(toy, tmp_path / "desk"):
            pass
