"""The desk that addons are tried on, with the addon that implements every hook."""

from __future__ import annotations

import hashlib
import hmac
import json
import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from host.authoring.desk import NotActivatedError, RefusedByCardError, trial_desk
from host.sdk import clock

TOY = Path(__file__).resolve().parents[1] / "toy"
SECRET = "a secret of the toy"


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
def test_an_addon_the_desk_does_not_take_says_why(tmp_path: Path) -> None:
    shutil.copytree(TOY, tmp_path / "toy", ignore=shutil.ignore_patterns("__pycache__"))
    path = tmp_path / "toy" / "migrations" / "versions" / "0001_accounts.py"
    path.write_text(
        path.read_text().replace("def upgrade() -> None:\n", "def upgrade() -> None:\n    1 / 0\n")
    )
    with pytest.raises(NotActivatedError, match="Migration 0001 failed"):
        with trial_desk(tmp_path / "toy", tmp_path / "desk"):
            pass
