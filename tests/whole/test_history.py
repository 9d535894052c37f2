"""The checker of the torture goes red for every kind of damage it is there to find."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from host.core.backports.values import replace
from tests.whole.history import Accepted, Row, check, read_ledger

ANA = "1026000000000001"
SHOP = "17841400000000001"

Run = tuple[list[dict[str, Any]], list[Row], list[Accepted]]


def dm(number: int, text: str) -> dict[str, Any]:
    return {"kind": "dm", "id": number, "customer": ANA, "account": SHOP, "mid": f"in{number}", "text": text}


def delivered(number: int, *mids: str, status: int | None = 200) -> dict[str, Any]:
    return {"kind": "webhook", "id": number, "mids": list(mids), "status": status, "signature": "right"}


def took(number: int, mid: str, text: str) -> dict[str, Any]:
    return {"kind": "send", "id": number, "customer": ANA, "account": SHOP, "mid": mid, "text": text}


def received(number: int, mid: str, text: str, at: int) -> Row:
    return Row(number, 1, SHOP, ANA, "inbound", "customer", mid, text, None, at)


def reply(number: int, mid: str | None, text: str, state: str, *, flagged: bool = False) -> Row:
    return Row(number, 1, SHOP, ANA, "outbound", "agent", mid, text, state, 5000 + number, flagged)


@pytest.fixture
def clean() -> Run:
    """A run in which everything went well, redelivery and a flagged double send included."""
    ledger = [
        dm(1, "one"),
        dm(2, "two"),
        delivered(3, "in1", status=None),
        delivered(4, "in1"),
        delivered(5, "in2", "in1"),
        took(6, "out1", "first"),
        delivered(7, "out1"),
        took(8, "out2", "second"),
        took(9, "out2b", "second"),
    ]
    rows = [
        received(2, "in1", "one", 1000),
        received(1, "in2", "two", 2000),
        reply(3, "out1", "first", "sent"),
        reply(4, "out2b", "second", "sent", flagged=True),
        reply(5, None, "third", "failed"),
        reply(6, None, "fourth", "unknown", flagged=True),
    ]
    return ledger, rows, [Accepted(ANA, text) for text in ("first", "second", "third", "fourth")]


def test_a_run_in_which_all_went_well_is_green(clean: Run) -> None:
    verdict = check(*clean)
    assert verdict.problems == []
    assert verdict.figures["written"] == 2
    assert verdict.figures["redelivered"] == 1
    assert verdict.figures["sent twice, flagged"] == 1


def lose_a_message(ledger: list[dict[str, Any]], rows: list[Row], accepted: list[Accepted]) -> None:
    del rows[0]


def double_a_message(ledger: list[dict[str, Any]], rows: list[Row], accepted: list[Accepted]) -> None:
    rows.append(replace(rows[0], id=90))


def double_under_another_id(ledger: list[dict[str, Any]], rows: list[Row], accepted: list[Accepted]) -> None:
    rows.append(replace(rows[0], id=90, external_id="other"))


def make_up_a_message(ledger: list[dict[str, Any]], rows: list[Row], accepted: list[Accepted]) -> None:
    rows.append(received(90, "in90", "nobody wrote this", 3000))


def never_answer(ledger: list[dict[str, Any]], rows: list[Row], accepted: list[Accepted]) -> None:
    ledger.append(dm(90, "into the void"))


def swap_two(ledger: list[dict[str, Any]], rows: list[Row], accepted: list[Accepted]) -> None:
    rows[0], rows[1] = replace(rows[0], sent_at_ms=2000), replace(rows[1], sent_at_ms=1000)


def forget_a_reply(ledger: list[dict[str, Any]], rows: list[Row], accepted: list[Accepted]) -> None:
    del rows[2]


def write_a_reply_twice(ledger: list[dict[str, Any]], rows: list[Row], accepted: list[Accepted]) -> None:
    rows.append(reply(90, "out1", "first", "sent"))


def send_twice_silently(ledger: list[dict[str, Any]], rows: list[Row], accepted: list[Accepted]) -> None:
    ledger.append(took(90, "out90", "first"))


def claim_what_was_not_sent(ledger: list[dict[str, Any]], rows: list[Row], accepted: list[Accepted]) -> None:
    rows[4] = reply(5, "out5", "third", "sent")


def fail_what_arrived(ledger: list[dict[str, Any]], rows: list[Row], accepted: list[Accepted]) -> None:
    rows[2] = reply(3, None, "first", "failed")


def leave_one_sending(ledger: list[dict[str, Any]], rows: list[Row], accepted: list[Accepted]) -> None:
    rows[4] = reply(5, None, "third", "sending")


def send_what_nobody_wrote(ledger: list[dict[str, Any]], rows: list[Row], accepted: list[Accepted]) -> None:
    ledger.append(took(90, "out90", "surprise"))


def show_the_echo_too(ledger: list[dict[str, Any]], rows: list[Row], accepted: list[Accepted]) -> None:
    rows.append(replace(rows[2], id=90, external_id="out90", origin="provider"))


def send_out_of_order(ledger: list[dict[str, Any]], rows: list[Row], accepted: list[Accepted]) -> None:
    rows[2] = replace(rows[2], id=80)
    rows.append(reply(81, "out91", "before it", "sent"))
    ledger[5:5] = [took(91, "out91", "before it")]
    accepted.append(Accepted(ANA, "before it"))


def split_the_conversation(ledger: list[dict[str, Any]], rows: list[Row], accepted: list[Accepted]) -> None:
    rows[0] = replace(rows[0], conversation=2)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lose_a_message, "lost"),
        (double_a_message, "doubled"),
        (double_under_another_id, "doubled"),
        (make_up_a_message, "made up"),
        (never_answer, "never answered"),
        (swap_two, "out of order"),
        (forget_a_reply, "in the thread 0 times"),
        (write_a_reply_twice, "in the thread 2 times"),
        (send_twice_silently, "sent 2 times"),
        (claim_what_was_not_sent, "says sent"),
        (fail_what_arrived, "says failed"),
        (leave_one_sending, "still sending"),
        (send_what_nobody_wrote, "no agent's reply"),
        (show_the_echo_too, "an echo became"),
        (send_out_of_order, "after a later reply"),
        (split_the_conversation, "2 conversations"),
    ],
)
def test_damage_is_found(clean: Run, damage: Callable[..., None], words: str) -> None:
    damage(*clean)
    assert any(words in problem for problem in check(*clean).problems)


def test_a_ledger_cut_off_by_a_kill_is_read_with_its_amendments(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    lines = [
        {"kind": "send", "id": 1, "at_ms": 1, "answered": None},
        {"kind": "amend", "id": 1, "at_ms": 2, "answered": False, "fault": "f1"},
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"kind": "dm", "id": 2, "te')
    assert read_ledger(path) == [{"kind": "send", "id": 1, "at_ms": 1, "answered": False, "fault": "f1"}]
