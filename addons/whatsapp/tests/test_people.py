"""The ids under which WhatsApp names a customer, and what it says of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from host.authoring.desk import TrialDesk
from host.sdk.messages import ContactIdentified, MessageReceived
from host.sdk.webhooks import Envelope

SAID = {"id": "wamid.IN1", "timestamp": "1790000000"}
TEXT = {**SAID, "type": "text", "text": {"body": "Hello"}}


def parsed(desk: TrialDesk, **body: Any) -> Sequence[Any]:
    envelope = Envelope(1, "a queue", "message:1", "message", json.dumps({"person": "", **body}).encode())
    return desk.adapter("whatsapp").parse(envelope)


def ids(change: ContactIdentified) -> list[str]:
    return [f"{'former ' * one.former}{'lasting ' * one.lasting}{one.external_id}" for one in change.ids]


@pytest.mark.parametrize(
    ("said", "about", "contact", "known"),
    [
        ({"from": "491"}, {}, "491", None),
        ({"from_user_id": "DE.1"}, {}, "DE.1", None),
        ({"from": "491", "from_user_id": "DE.1"}, {}, "DE.1", ["491", "lasting DE.1"]),
        ({}, {"wa_id": "491", "user_id": "DE.1"}, "DE.1", ["491", "lasting DE.1"]),
        (
            {"from_user_id": "DE.1"},
            {"user_id": "DE.1", "parent_user_id": "DE.ENT.9"},
            "DE.1",
            ["lasting DE.1", "lasting DE.ENT.9"],
        ),
        ({"from": "491", "from_user_id": "491"}, {}, "491", None),
        ({"from": "491", "from_user_id": {"an": "object"}}, {}, "491", None),
    ],
)
def test_a_message_names_every_id_it_has(
    desk: TrialDesk, said: dict[str, Any], about: dict[str, Any], contact: str, known: list[str] | None
) -> None:
    *told, message = parsed(desk, message={**TEXT, **said}, contact=about)
    assert isinstance(message, MessageReceived)
    assert message.contact == contact
    assert message.contact_phone == ("491" if "491" in (said.get("from"), about.get("wa_id")) else None)
    assert [ids(one) for one in told] == ([] if known is None else [known])


@pytest.mark.parametrize(
    ("said", "system", "known", "what"),
    [
        ({"from": "491"}, {"type": "user_changed_number", "wa_id": "492"}, ["492", "former 491"], "number"),
        (
            {"from": "491", "from_user_id": "DE.1"},
            {"type": "user_changed_number", "wa_id": "492", "user_id": "DE.2"},
            ["492", "lasting DE.2", "former lasting DE.1", "former 491"],
            "number",
        ),
        (  # without the number, which they hide
            {"from_user_id": "DE.1"},
            {"type": "user_changed_number", "wa_id": "492", "user_id": "DE.2"},
            ["492", "lasting DE.2", "former lasting DE.1"],
            "number",
        ),
        (
            {"from": "491"},
            {
                "type": "user_changed_user_id",
                "user_id": "DE.2",
                "previous_user_id": "DE.1",
                "previous_parent_user_id": "DE.ENT.8",
            },
            ["491", "lasting DE.2", "former lasting DE.1", "former lasting DE.ENT.8"],
            "id",
        ),
        (
            {},
            {"type": "user_changed_user_id", "user_id": "DE.2", "previous_user_id": "DE.1"},
            ["lasting DE.2", "former lasting DE.1"],
            "id",
        ),
    ],
)
def test_a_change_is_no_message(
    desk: TrialDesk, said: dict[str, Any], system: dict[str, Any], known: list[str], what: str
) -> None:
    message = {**SAID, "type": "system", "system": {"body": "somebody changed", **system}, **said}
    (change,) = parsed(desk, message=message, contact={}, person="a queue")
    assert isinstance(change, ContactIdentified)
    assert (ids(change), change.changed) == (known, what)


@pytest.mark.parametrize(
    "system",
    [
        {"type": "user_changed_number"},
        {"type": "user_changed_number", "wa_id": "491"},
        {"type": "user_changed_user_id", "user_id": "DE.1"},
        {"type": "user_changed_user_id", "user_id": ["DE.1"], "previous_user_id": "DE.1"},
        {"type": "group_something"},
        None,
    ],
)
def test_what_changes_nothing_is_a_line_that_it_cannot_be_shown(desk: TrialDesk, system: Any) -> None:
    message = {**SAID, "type": "system", "system": system, "from": "491"}
    (change,) = parsed(desk, message=message, contact={})
    assert (change.kind, change.content, change.opens_window) == ("unsupported", {"event": "system"}, False)
