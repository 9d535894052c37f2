"""Conversations that another responder of the number has: Meta's agent, another app.

The shapes are those of the pages webhooks/reference/standby (4 Aug 2026) and
webhooks/reference/messaging-handovers (22 Sep 2026).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from host.authoring.desk import TrialDesk
from host.sdk import clock
from host.sdk.cards import Verdict
from host.sdk.channel import AccountRef

NUMBER, BUSINESS = "106540352242922", "102290129340398"
VALUES = {
    "number": NUMBER,
    "business": BUSINESS,
    "token": "EAAsampleTokenOfTheStandIn0001",
    "app_secret": "0123456789abcdef0123456789abcdef",
}
NewCustomer = Callable[[], Any]


def now(later: int = 0) -> str:
    return str(int(clock.now().timestamp()) + later)


def written(customer: Any, words: str) -> dict[str, Any]:
    """Return the parts of a delivery of a text."""
    told = customer.message(type="text", text={"body": words})
    value = told["entry"][0]["changes"][0]["value"]
    return {"contacts": value["contacts"], "messages": value["messages"]}


def handed(customer: Any, kind: str, **told: str) -> dict[str, Any]:
    value = {
        "messaging_product": "whatsapp",
        "recipient": {"display_phone_number": "15550783881", "phone_number_id": NUMBER},
        "sender": {"phone_number": customer.phone},
        "timestamp": now(),
        "type": kind,
        kind: told,
    }
    change = {"field": "messaging_handovers", "value": value}
    return {"object": "whatsapp_business_account", "entry": [{"id": BUSINESS, "changes": [change]}]}


@pytest.mark.parametrize("nested", [True, False])
def test_a_standby_message_is_kept_as_one(customer: NewCustomer, nested: bool) -> None:
    ann = customer()
    parts = written(ann, "Is it open on Saturday?")
    ann.told(
        ann.value(field="standby", contacts=parts["contacts"], standby={"messages": parts["messages"]})
        if nested
        else ann.value(field="standby", **parts)
    )
    (message,) = ann.thread
    assert (message.text, message.content["standby"]) == ("Is it open on Saturday?", True)


def test_a_message_of_its_own_field_is_none(customer: NewCustomer) -> None:
    ann = customer()
    ann.writes("Hello")
    assert "standby" not in ann.thread[0].content


@pytest.mark.parametrize("nested", [True, False])
def test_what_the_other_responder_writes_is_its_own(customer: NewCustomer, nested: bool) -> None:
    ann = customer()
    ann.writes("Hello")
    said = {
        "to": ann.phone,
        "recipient_type": "individual",
        "type": "text",
        "text": {"body": "Yes, from ten."},
    }
    echo = {"id": f"wamid.BOT{ann.phone}", "timestamp": now(), "message": said}
    ann.told(
        ann.value(
            field="standby",
            **({"standby": {"message_echoes": [echo]}} if nested else {"message_echoes": [echo]}),
        )
    )
    message = ann.thread[-1]
    assert (message.text, message.direction, message.content["standby"]) == (
        "Yes, from ten.",
        "outbound",
        True,
    )
    assert message.content["sent_by"]["who"] == "other"


def test_handovers_are_lines_and_no_messages(customer: NewCustomer) -> None:
    ann = customer()
    ann.writes("I would rather talk to somebody")
    ann.told(handed(ann, "control_passed", previous_owner_role="ai_agent", metadata="asks for a person"))
    ann.told(handed(ann, "control_taken", new_owner_role="ai_agent", previous_owner_role="escalation"))
    wrote, passed, taken = ann.thread
    assert wrote.direction == "inbound"
    assert [one.direction for one in (passed, taken)] == ["internal"] * 2
    assert (passed.content["how"], passed.content["to"]["who"], passed.content["note"]) == (
        "passed",
        "desk",
        "asks for a person",
    )
    assert (taken.content["how"], taken.content["to"]["name"]) == ("taken", "Meta’s agent")


SUMMARY = {"type": "summary", "summary": {"text": "Asks for a cup.\nWants to speak to somebody."}}


@pytest.mark.parametrize("inside", [True, False])
def test_a_summary_comes_with_the_handover(customer: NewCustomer, inside: bool) -> None:
    ann = customer()
    ann.writes("Hello")
    told = handed(ann, "control_passed", previous_owner_role="ai_agent")
    value = told["entry"][0]["changes"][0]["value"]
    (value["control_passed"] if inside else value)["conversation_context"] = SUMMARY
    ann.told(told)
    assert ann.thread[-1].content["summary"] == "Asks for a cup.\nWants to speak to somebody."


@pytest.mark.parametrize(
    "context", ["x", {"type": "other"}, {"type": "summary", "summary": [1]}, {"type": "summary"}]
)
def test_an_odd_summary_is_left_out(customer: NewCustomer, context: object) -> None:
    ann = customer()
    ann.writes("Hello")
    told = handed(ann, "control_passed")
    told["entry"][0]["changes"][0]["value"]["conversation_context"] = context
    ann.told(told)
    assert "summary" not in ann.thread[-1].content


def test_a_repeated_handover_is_one_line(customer: NewCustomer) -> None:
    ann = customer()
    ann.writes("Hello")
    told = handed(ann, "control_passed")
    ann.told(told)
    ann.told(told)
    assert len(ann.thread) == 2


@pytest.mark.parametrize(
    "change",
    [
        {"sender": {}},
        {"sender": "x"},
        {"type": "control_lost"},
        {"timestamp": "soon"},
        {"control_passed": []},
    ],
)
def test_an_odd_handover_harms_nothing(customer: NewCustomer, change: dict[str, Any]) -> None:
    ann = customer()
    ann.writes("Hello")
    told = handed(ann, "control_passed")
    told["entry"][0]["changes"][0]["value"] |= change
    ann.told(told)
    assert ann.thread[0].text == "Hello"


@pytest.mark.parametrize("standby", ["x", 1, [], None, {"messages": "x"}, {"message_echoes": [{"id": "e"}]}])
def test_an_odd_standby_harms_nothing(customer: NewCustomer, standby: object) -> None:
    ann = customer()
    ann.told(ann.value(field="standby", standby=standby))
    assert ann.thread == []


def test_a_conversation_is_taken_and_passed(desk: TrialDesk, account: AccountRef, whatsapp: Any) -> None:
    adapter = desk.adapter("whatsapp")
    whatsapp.controlled.clear()
    assert adapter.take_thread(account, "16505551234", "a person") is None
    assert adapter.pass_thread(account, "DE.111", "ai_agent", "") is None
    assert whatsapp.controlled == [
        {"messaging_product": "whatsapp", "to": "16505551234", "action": "take", "metadata": "a person"},
        {
            "messaging_product": "whatsapp",
            "recipient": "DE.111",
            "action": "pass",
            "control_pass": {"target_role": "ai_agent"},
        },
    ]
    whatsapp.controlled.clear()
    assert adapter.release_thread(account, "16505551234", "") is None
    assert whatsapp.controlled == [
        {"messaging_product": "whatsapp", "to": "16505551234", "action": "release"},
    ]


@pytest.mark.parametrize(
    ("act", "code", "sentence", "step"),
    [
        ("take", 2494191, "Meta didn't hand over this conversation.", "the one that takes conversations"),
        ("take", 100, "Meta didn't hand over this conversation.", "Try again in a minute."),
        ("release", 100, "because another program has it.", "Take it over first"),
        ("release", 2, "Meta didn't hand over this conversation.", "Try again in a minute."),
        ("release", 190, "no longer accepts the token", "Settings"),
    ],
)
def test_what_meta_refuses_is_said_in_words_with_its_code(
    desk: TrialDesk, account: AccountRef, whatsapp: Any, act: str, code: int, sentence: str, step: str
) -> None:
    adapter = desk.adapter("whatsapp")
    whatsapp.refuse["thread_control"] = [(400, code, "Not allowed")]
    problem = getattr(adapter, f"{act}_thread")(account, "16505551234", "")
    assert problem is not None
    assert problem.code == str(code)
    assert sentence in problem.sentence
    assert step in problem.next_step
    assert str(code) in problem.raw


def test_each_field_that_an_app_may_have_is_subscribed(
    desk: TrialDesk, account: AccountRef, whatsapp: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    checks, card = desk.module("checks"), desk.module("card").CARD
    monkeypatch.setattr(whatsapp, "app_webhook", {})
    assert desk.connect("whatsapp", VALUES, account=account).id == account.id
    assert {*checks.FIELDS, *checks.OPTIONAL} == set(whatsapp.app_webhook["fields"].split(","))
    monkeypatch.setattr(whatsapp, "app_webhook", {})
    monkeypatch.setattr(whatsapp, "unknown_fields", {"standby", "calls"})
    assert desk.connect("whatsapp", VALUES, account=account).id == account.id
    fields = set(whatsapp.app_webhook["fields"].split(","))
    assert {*checks.FIELDS, *checks.OPTIONAL} - fields == {"standby", "calls"}
    (found,) = [one for one in card.diagnose(account) if one.name == "responders"]
    assert (found.verdict, "standby" in found.evidence) == (Verdict.UNKNOWN, True)
