"""Calls that nobody took, on the field ``calls``.

The shapes are those of the page calling/user-initiated-calls (24 Jun 2026): an event *connect* while it
rings, and *terminate* when it is over; ``start_time``, ``end_time`` and ``duration`` only if the call was
taken.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from typing import Any

import pytest

from host.authoring.desk import TrialDesk
from host.sdk import clock
from host.sdk.channel import AccountRef

NewCustomer = Callable[[], Any]
CALLS = itertools.count(1)
TAKEN = {"start_time": "1671644824", "end_time": "1671644944", "duration": 120}


def rings(ann: Any, id_: str, **more: Any) -> dict[str, Any]:
    """Return the delivery that a customer calls."""
    session = {"sdp_type": "offer", "sdp": "v=0\r\nc=IN IP4 192.0.2.17\r\n"}
    contact = {"profile": {"name": "Ann Lee"}, "wa_id": ann.phone}
    return told(ann, id_, "connect", contacts=[contact], session=session, **more)


def ends(ann: Any, id_: str, **more: Any) -> dict[str, Any]:
    """Return the delivery that a call is over."""
    return told(ann, id_, "terminate", **{"status": "COMPLETED", **more})


def told(
    ann: Any, id_: str, what: str, contacts: list[dict[str, Any]] | None = None, **more: Any
) -> dict[str, Any]:
    call = {
        "id": id_,
        "from": ann.phone,
        "to": "15550783881",
        "event": what,
        "timestamp": str(int(clock.now().timestamp()) - 100),
        "direction": "USER_INITIATED",
        **more,
    }
    call = {name: value for name, value in call.items() if value is not None}
    parts = {"calls": [call]} if contacts is None else {"contacts": contacts, "calls": [call]}
    delivery: dict[str, Any] = ann.value(field="calls", **parts)
    return delivery


def new_id() -> str:
    return f"wacid.HBgLMTIxODU1NTI4MjgVAgAR{next(CALLS)}"


def shown(ann: Any) -> list[tuple[str, str]]:
    return [(one.direction, one.kind) for one in ann.thread]


def test_a_call_that_nobody_took_is_one_line(customer: NewCustomer) -> None:
    ann, call = customer(), new_id()
    ann.writes("Hello")
    ann.told(rings(ann, call))
    assert shown(ann) == [("inbound", "text")], "it may still be taken"
    ann.told(ends(ann, call))
    line = ann.thread[-1]
    assert (line.direction, line.kind, line.text) == ("inbound", "call", "")


@pytest.mark.parametrize("order", sorted(set(itertools.permutations(("rings", "ends", "ends", "rings")))))
def test_repeats_in_any_order_are_one_line(customer: NewCustomer, order: tuple[str, ...]) -> None:
    ann, call = customer(), new_id()
    both = {"rings": rings(ann, call), "ends": ends(ann, call)}
    for one in order:
        ann.told(both[one])
    assert [one.kind for one in ann.thread] == ["call"]


def test_an_end_told_anew_with_another_time_is_the_same_line(customer: NewCustomer) -> None:
    ann, call = customer(), new_id()
    ann.told(ends(ann, call))
    ann.told(ends(ann, call, timestamp=str(int(clock.now().timestamp()))))
    ann.told(ends(ann, call, status=["FAILED"]))
    assert [one.kind for one in ann.thread] == ["call"]


def test_two_calls_are_two_lines(customer: NewCustomer) -> None:
    ann = customer()
    ann.told(ends(ann, new_id()))
    ann.told(ends(ann, new_id()))
    assert [one.kind for one in ann.thread] == ["call", "call"]


@pytest.mark.parametrize(
    "more",
    [
        TAKEN,
        {"start_time": "1671644824"},
        {"duration": 3},
        {"direction": "BUSINESS_INITIATED"},
        {"direction": None, "from": "15550783881", "to": "16505551234"},
    ],
)
def test_calls_that_were_taken_and_our_own_are_no_lines(customer: NewCustomer, more: dict[str, Any]) -> None:
    ann, call = customer(), new_id()
    ann.writes("Hello")
    ann.told(rings(ann, call))
    ann.told(ends(ann, call, **more))
    assert [one.kind for one in ann.thread] == ["text"]


@pytest.mark.parametrize(
    "more",
    [{"status": "FAILED"}, {"status": None}, {"duration": 0}, {"start_time": "0"}, {"direction": None}],
)
def test_what_was_not_taken_is_a_line_however_it_is_told(customer: NewCustomer, more: dict[str, Any]) -> None:
    ann = customer()
    ann.told(ends(ann, new_id(), **more))
    assert [one.kind for one in ann.thread] == ["call"]


def test_a_caller_who_hides_the_number_is_the_same_customer(customer: NewCustomer) -> None:
    ann = customer()
    user = f"DE.{ann.phone}"
    ann.writes("Hello", from_user_id=user)
    hidden = ends(ann, new_id(), from_user_id=user)
    del hidden["entry"][0]["changes"][0]["value"]["calls"][0]["from"]
    ann.told(hidden)
    assert [one.kind for one in ann.thread] == ["text", "call"]


def test_a_call_lets_replies_be_sent_for_another_day(
    customer: NewCustomer, desk: TrialDesk, account: AccountRef, whatsapp: Any
) -> None:
    ann = customer()
    ann.told(ends(ann, new_id()))
    sent = len(whatsapp.sent)
    desk.reply(ann.phone, "Sorry we missed you!")
    desk.work()
    assert whatsapp.sent[sent]["text"]["body"] == "Sorry we missed you!"


def test_what_the_phone_said_of_its_network_is_not_kept(customer: NewCustomer, desk: TrialDesk) -> None:
    webhook, accounts = desk.module("webhook"), desk.module("accounts")
    ann = customer()
    known = accounts.book.get()
    for delivery in (rings(ann, new_id()), ends(ann, new_id(), connection={"webrtc": {"sdp": "192.0.2.17"}})):
        for one in webhook.cut(json.dumps(delivery).encode(), known, ann.whatsapp.secret.encode()):
            assert b"192.0.2.17" not in one.body


def test_reports_about_calls_of_ours_are_no_reports_about_messages(customer: NewCustomer) -> None:
    ann = customer()
    ann.writes("Hello")
    status = {"id": new_id(), "type": "call", "status": "REJECTED", "recipient_id": ann.phone}
    at = str(int(clock.now().timestamp()))
    ann.told(ann.value(field="calls", statuses=[status | {"timestamp": at, "biz_opaque_callback_data": "x"}]))
    assert [one.kind for one in ann.thread] == ["text"]


@pytest.mark.parametrize(
    "change",
    [
        {"id": 7},
        {"id": None},
        {"from": {}},
        {"from": None},
        {"event": ["terminate"]},
        {"event": "call_recording_available"},
        {"timestamp": "soon"},
        {"start_time": [], "duration": {}},
        {"direction": 1},
    ],
)
def test_odd_calls_harm_nothing(customer: NewCustomer, change: dict[str, Any]) -> None:
    ann = customer()
    ann.writes("Hello")
    ann.told(ends(ann, new_id(), **change))
    ann.writes("Still there?")
    assert ann.thread[0].text == "Hello"
    assert [one.text for one in ann.thread if one.kind == "text"] == ["Hello", "Still there?"]


@pytest.mark.parametrize("calls", ["x", 1, None, [], ["x"], {}])
def test_odd_lists_of_calls_harm_nothing(customer: NewCustomer, calls: object) -> None:
    ann = customer()
    ann.told(ann.value(field="calls", calls=calls))
    assert ann.thread == []
