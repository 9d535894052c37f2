"""The ids under which WhatsApp names a customer, and what it says of them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import sqlalchemy as sa

from host.authoring.desk import TrialDesk
from host.core import db
from host.models.inbox import ContactIdentity
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


@pytest.mark.parametrize(
    ("id_", "kind"),
    [
        ("4915112345678", ""),
        ("DE.13491208655302741918", "ID for your business"),
        ("DE.ENT.11815799212886844830", "ID for all businesses of your company"),
        ("somebody", ""),
    ],
)
def test_kinds_of_ids_have_names(desk: TrialDesk, id_: str, kind: str) -> None:
    assert desk.adapter("whatsapp").id_kind(id_) == kind


def test_a_contact_with_several_ids_shows_what_each_is(desk: TrialDesk, customer: Callable[[], Any]) -> None:
    ann = customer()
    ann.writes("Hello", from_user_id="DE.771", from_parent_user_id="DE.ENT.772")
    with db.read() as session:
        named = sa.select(ContactIdentity.contact_id).where(ContactIdentity.external_id == "DE.771")
        contact = session.scalars(named).one()
    page = re.sub(r"<[^>]+>|\s+", " ", desk.get(f"/w/{desk.workspace_id}/contacts/{contact}").text)
    shown = " ".join(page.split()).replace("\N{NON-BREAKING HYPHEN}", "-")
    main = f"+{ann.phone} Phone number on +1 555-078-3881, can change Replies go here"
    assert main in shown
    assert "DE.771 ID for your business on +1 555-078-3881, stays the same" in shown
    assert "DE.ENT.772 ID for all businesses of your company on +1 555-078-3881, stays the same" in shown
    assert shown.count("Replies go here") == 1
