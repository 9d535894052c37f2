"""An app is restricted, and its desk killed twice: every reply goes out once, in order, at half rate."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.whole.rig import Rig, running, until
from tests.whole.shops import APP_ID, POTTERY, POTTERY_AGENT, furnish, point_webhooks

pytestmark = pytest.mark.slow

DESK = Path(__file__).parent / "restricted_desk.py"
CUSTOMERS = (POTTERY.customer, "1026000000000002", "1026000000000003")
EACH = 6
KILLED_AFTER = {2, 4}
RATE = 4
"""Messages a second an account may send."""

WARNINGS = "SELECT sentence FROM account_warnings WHERE sentence LIKE '%restricted%'"


@pytest.fixture
def rig(tmp_path: Path, addon_zip: Path) -> Iterator[Rig]:
    settings = {"LOBBY_ADDON_INSTAGRAM_SENDS_PER_SECOND": str(RATE)}
    for rig in running(tmp_path, command=(str(DESK),), settings=settings):
        furnish(rig, addon_zip)
        rig.start()
        point_webhooks(rig)
        yield rig


def taken(rig: Rig) -> list[dict[str, Any]]:
    """Return the messages the sandbox took, in order."""
    entries = rig.control("GET", "ledger?kind=send")["entries"]
    return [one for one in entries if one.get("mid")]


def test_every_reply_goes_out_once_in_order_after_the_release(rig: Rig) -> None:
    for customer in CUSTOMERS:
        rig.control("POST", "dm", {"account": POTTERY.igid, "customer": customer, "text": "Hello?"})
    until(lambda: rig.value("SELECT COUNT(*) FROM conversations") == len(CUSTOMERS), "the conversations")
    talks = [row["id"] for row in rig.rows("SELECT id FROM conversations ORDER BY id")]
    restrict(rig, True)
    for number in range(EACH):
        write(rig, talks, number)
        if number in KILLED_AFTER:
            since = "SELECT COUNT(restricted_since) FROM instagram_restrictions"
            until(lambda query=since: rig.value(query), "the restriction being known")  # type: ignore[misc]
            rig.kill()
            rig.start()
    total = EACH * len(talks)
    states = "SELECT state, COUNT(*) AS n FROM messages WHERE direction = 'outbound' GROUP BY state"
    waiting = {row["state"]: row["n"] for row in rig.rows(states)}
    # One that was being tried when the desk was killed is looked for before it is sent.
    assert waiting.keys() <= {"queued", "unknown"}
    assert sum(waiting.values()) == total
    assert taken(rig) == []
    assert "Meta has restricted the app" in str([tuple(row) for row in rig.rows(WARNINGS)])
    restrict(rig, False)
    until(lambda: len(taken(rig)) >= total, "the replies going out")
    until(lambda: [row["state"] for row in rig.rows(states)] == ["sent"], "each being known to be sent")
    sent = taken(rig)
    assert len(sent) == total
    for talk in talks:
        wanted = [f"{talk}: answer {number}" for number in range(EACH)]
        assert [one["text"] for one in sent if one["text"].startswith(f"{talk}: ")] == wanted
    half = RATE // 2
    # Slower machines only take longer; at the whole rate it would take half of this.
    assert sent[-1]["at_ms"] - sent[0]["at_ms"] >= 1000 * ((total - 2 * half) / half - 1)
    until(lambda: rig.rows(WARNINGS) == [], "the warning ending")


def restrict(rig: Rig, on: bool) -> None:
    rig.control("PATCH", f"apps/{APP_ID}", {"restricted": on})


def write(rig: Rig, talks: list[int], number: int) -> None:
    """Have the agent answer every customer."""
    person = rig.person(POTTERY_AGENT)
    person.open("/account")
    token = person.forms[-1].values["csrf_token"]
    for talk in talks:
        form = {
            "text": f"{talk}: answer {number}",
            "reply_key": f"restricted-{talk}-{number}",
            "csrf_token": token,
        }
        answer = person.session.post(f"{rig.url}/w/1/inbox/{talk}/reply", data=form, timeout=30)
        assert answer.status_code == 200, answer.text
