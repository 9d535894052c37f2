"""Faults: each does what it says, as often as it says, to whom it says."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from tests.sandbox.helpers import ANA, Desk, Meta, error_of, poll

KIT = "1026000000000002"


@pytest.fixture
def spoken(connected: Meta, desk: Desk) -> Meta:
    """A connected sandbox where Ana's DM has arrived and the desk's memory is empty."""
    connected.dm()
    desk.wait(1)
    connected.idle()
    desk.posts.clear()
    return connected


@pytest.mark.parametrize(
    ("code", "subcode", "status"),
    [
        (190, 460, 400),
        (613, None, 400),
        (613, 2534040, 400),
        (551, None, 400),
        (2, None, 500),
        (4, None, 400),
        (368, None, 400),
        (1, 1357046, 400),
        (200, 1545041, 400),
        (100, 2534037, 400),
    ],
)
def test_any_error_can_be_answered(spoken: Meta, code: int, subcode: int | None, status: int) -> None:
    options: dict[str, Any] = {"code": code, "times": 1}
    if subcode is not None:
        options["subcode"] = subcode
    spoken.fault("send", "error", **options)
    answer = spoken.send()
    assert error_of(answer) == (status, code, subcode)
    assert answer.json()["error"]["message"]
    assert spoken.ledger("send") == []
    assert spoken.send().status_code == 200


def test_an_error_after_acceptance_is_visible_as_such(spoken: Meta, desk: Desk) -> None:
    spoken.fault("send", "error", code=1, subcode=1357046, when="after", times=1)
    assert error_of(spoken.send("kept")) == (400, 1, 1357046)
    assert spoken.ledger("send")[0]["answered"] is False
    assert desk.wait(1)[0]["message"]["text"] == "kept"


def test_a_bare_status_without_json(spoken: Meta) -> None:
    spoken.fault("send", "error", status=502, headers={"Retry-After": "7"}, times=1)
    answer = spoken.send()
    assert (answer.status_code, answer.text) == (502, "")
    assert answer.headers["Retry-After"] == "7"


@pytest.mark.parametrize(("when", "accepted"), [("before", 0), ("after", 1)])
def test_a_timeout_before_and_after_acceptance(spoken: Meta, desk: Desk, when: str, accepted: int) -> None:
    spoken.fault("send", "timeout", seconds=30, when=when, times=1)
    url = f"{spoken.url}/graph.facebook.com/v26.0/me/messages"
    with pytest.raises(requests.ReadTimeout):
        spoken.session.post(
            url,
            headers={"Authorization": "Bearer EAASANDBOXPotteryLong100000000000001"},
            json={"recipient": {"id": ANA}, "message": {"text": "late"}},
            timeout=2,
        )
    sends = spoken.ledger("send")
    assert len(sends) == accepted
    if accepted:
        assert sends[0]["answered"] is False
        assert desk.wait(1)[0]["message"]["mid"] == sends[0]["mid"]


def test_a_withheld_answer_comes_to_nothing(spoken: Meta) -> None:
    spoken.fault("send", "timeout", seconds=0.1, times=1)
    assert spoken.send().status_code == 504
    assert spoken.ledger("call", customer=ANA)[-1]["withheld"] == "timeout"


def test_a_reset_after_acceptance(spoken: Meta, desk: Desk) -> None:
    spoken.fault("send", "reset", times=1)
    with pytest.raises(requests.ConnectionError):
        spoken.send("sent all the same")
    assert desk.wait(1)[0]["message"]["text"] == "sent all the same"
    assert spoken.ledger("send")[0]["answered"] is False


def test_an_unreadable_answer(spoken: Meta) -> None:
    spoken.fault("send", "garbage", text="<html>", times=1)
    answer = spoken.send()
    assert (answer.status_code, answer.text) == (200, "<html>")
    assert spoken.ledger("send")[0]["answered"] is False


def test_usage_headers_can_be_forced(spoken: Meta) -> None:
    spoken.fault("send", "usage", percent=97, minutes=12)
    answer = spoken.send()
    assert answer.status_code == 200
    assert '"call_count":97' in answer.headers["X-App-Usage"]
    assert '"estimated_time_to_regain_access":12' in answer.headers["X-Business-Use-Case-Usage"]


def test_an_echo_is_lost(spoken: Meta, desk: Desk) -> None:
    spoken.fault("echo", "drop", times=1)
    spoken.send("lost")
    spoken.idle()  # an echo is drawn after its answer: the next call's may come first
    spoken.send("seen")
    assert [event["message"]["text"] for event in desk.wait(1)] == ["seen"]
    assert len(spoken.ledger("webhook_dropped")) == 1


def test_an_echo_is_late_on_the_sandboxs_clock(spoken: Meta, desk: Desk) -> None:
    spoken.fault("echo", "delay", seconds=600, times=1)
    spoken.send("late")
    spoken.dm("first")
    assert [event["message"]["text"] for event in desk.wait(1)] == ["first"]
    spoken.control("POST", "clock", {"advance": 601})
    assert desk.wait(2)[1]["message"]["text"] == "late"


def test_an_echo_comes_twice_byte_for_byte(spoken: Meta, desk: Desk) -> None:
    spoken.fault("echo", "repeat", times=1)
    spoken.send()
    poll(lambda: len(desk.posts) == 2)
    assert desk.posts[0] == desk.posts[1]
    spoken.idle()
    first, second = spoken.ledger("webhook")[-2:]
    assert second["repeats"] == first["delivery"]


def test_an_echo_ahead_of_the_answer(spoken: Meta, desk: Desk) -> None:
    order: list[str] = []
    desk.on_post = lambda body: order.append("echo")
    spoken.fault("echo", "ahead", times=1)
    spoken.send()
    order.append("answer")
    assert order == ["echo", "answer"]
    assert spoken.ledger("webhook")[-1]["ahead"] is True


def test_a_wrong_signature(spoken: Meta, desk: Desk) -> None:
    spoken.fault("webhook", "bad_signature", times=1)
    spoken.dm("forged")
    spoken.dm("right")
    desk.wait(2)
    assert desk.signatures() == [False, True]


def test_reordered(spoken: Meta, desk: Desk) -> None:
    spoken.fault("webhook", "reorder", size=3, seconds=60, times=1)
    for text in "abc":
        spoken.dm(text)
    assert [event["message"]["text"] for event in desk.wait(3)] == ["c", "b", "a"]


def test_batched_as_updates_and_as_entries(spoken: Meta, desk: Desk) -> None:
    spoken.fault("webhook", "batch", size=3, seconds=60, times=1)
    for text in "abc":
        spoken.dm(text)
    desk.wait(3)
    assert [len(entry["messaging"]) for entry in desk.bodies()[0]["entry"]] == [3]
    spoken.fault("webhook", "batch", size=2, shape="entries", seconds=60, times=1)
    for text in "de":
        spoken.dm(text)
    desk.wait(5)
    assert [len(entry["messaging"]) for entry in desk.bodies()[1]["entry"]] == [1, 1]
    assert desk.signatures() == [True, True]


def test_a_batch_that_does_not_fill_goes_out_in_time(spoken: Meta, desk: Desk) -> None:
    spoken.fault("webhook", "batch", size=10, seconds=0.05, times=1)
    spoken.dm("alone")
    assert desk.wait(1)[0]["message"]["text"] == "alone"


def test_a_rule_is_narrowed_by_match_and_path(spoken: Meta) -> None:
    spoken.dm(customer="kit.makes.sample")
    spoken.fault("send", "error", code=551, match={"customer": KIT})
    spoken.fault("/*/subscribed_apps", "error", code=3)
    assert spoken.send().status_code == 200
    assert error_of(spoken.send(recipient={"id": KIT})) == (400, 551, None)
    assert error_of(spoken.graph("GET", "me/subscribed_apps")) == (400, 3, None)
    assert spoken.get("me")["name"] == "Sample Pottery"


@pytest.mark.parametrize(
    ("call", "path"),
    [
        ("profile", ANA),
        ("subscribe", "me/subscribed_apps"),
        ("me", "me"),
        ("page", "100000000000001"),
        ("conversations", "me/conversations?platform=instagram"),
        ("debug_token", "debug_token?input_token=x"),
    ],
)
def test_each_call_can_be_named(spoken: Meta, call: str, path: str) -> None:
    spoken.fault(call, "error", code=4, times=1)
    assert error_of(spoken.graph("GET", path))[1] == 4
    spoken.fault("graph", "error", code=17, times=1)
    assert error_of(spoken.graph("GET", path))[1] == 17


def test_probability_is_seeded(spoken: Meta) -> None:
    def run() -> list[int]:
        rule = spoken.fault("me", "error", code=2, probability=0.5, seed=7)
        statuses = [spoken.graph("GET", "me").status_code for _ in range(20)]
        spoken.control("DELETE", f"faults/{rule['id']}")
        return statuses

    first = run()
    assert first == run()
    assert set(first) == {200, 500}


def test_rules_are_listed_counted_and_removed(spoken: Meta) -> None:
    rule = spoken.fault("send", "error", code=2)
    spoken.send()
    listed = spoken.control("GET", "faults")["faults"]
    assert [(item["id"], item["fired"]) for item in listed] == [(rule["id"], 1)]
    assert spoken.control("DELETE", "faults") == {"removed": 1}
    assert spoken.send().status_code == 200


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ({}, "call must be one of"),
        ({"call": "send", "action": "drop"}, "action for send must be one of"),
        ({"call": "webhook", "action": "error"}, "action for webhook must be one of"),
        ({"call": "webhook", "action": "ahead"}, "action for webhook"),
        ({"call": "send", "action": "error"}, "error needs a code or a status"),
        ({"call": "send", "action": "error", "code": "190"}, "code has the wrong type"),
        ({"call": "send", "action": "timeout", "seconds": -1}, "seconds must not be negative"),
        ({"call": "send", "action": "timeout", "soon": 1}, "timeout has no option soon"),
        ({"call": "send", "action": "reset", "when": "later"}, "when must be before or after"),
        ({"call": "send", "action": "reset", "times": 0}, "times must be"),
        ({"call": "send", "action": "reset", "times": True}, "times must be"),
        ({"call": "send", "action": "reset", "probability": 2}, "probability must be"),
        ({"call": "send", "action": "reset", "match": {"shoe": "9"}}, "match may name only"),
        ({"call": "webhook", "action": "batch", "shape": "round"}, "shape must be"),
        ([{"call": "send", "action": "reset"}, 3], "a rule must be a JSON object"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused_whole(meta: Meta, rule: Any, says: str) -> None:
    assert says in meta.control("POST", "faults", rule, 400)["error"]
    assert meta.control("GET", "faults")["faults"] == []
