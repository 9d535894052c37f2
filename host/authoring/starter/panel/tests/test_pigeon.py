"""The panel beside a conversation, and what its buttons insert."""

from __future__ import annotations

from typing import Any

import pytest

from host.authoring.desk import RefusedFormError, TrialDesk
from host.sdk.panels import Entry, Facts, InsertText, Paragraph, ShowNotice

TOKEN = "a-token-of-pigeon"  # noqa: S105 - of the stand-in


@pytest.fixture(scope="module", autouse=True)
def customers(desk: TrialDesk, provider: Any) -> None:
    """Have two customers write, of whom Pigeon knows one."""
    provider.answers["/people/ann%40example.com"] = {"id": "p7", "plan": "Nest", "city": "Ulm"}
    desk.receive("ann", "Hello?", name="Ann", email="ann@example.com")
    desk.receive("bo", "Hello?", email="bo@example.com")
    desk.receive("cy", "Hello?")


def test_without_a_key_both_say_who_can_help(desk: TrialDesk) -> None:
    (shown,) = desk.render("pigeon.person", "ann")
    assert isinstance(shown, Paragraph)
    assert "Ask an owner to enter the API key" in shown.text
    assert isinstance(desk.compose("pigeon.offer", "ann"), ShowNotice)
    with pytest.raises(RefusedFormError):
        desk.fill_in({"offer": "x" * 3000})


def test_the_panel_shows_the_person(desk: TrialDesk) -> None:
    desk.fill_in({"key": TOKEN})
    plan, facts = desk.render("pigeon.person", "ann")
    assert isinstance(plan, Entry)
    assert (plan.title, plan.url) == ("Nest", "https://pigeon.example/people/p7")
    assert facts == Facts([("City", "Ulm")])
    (button,) = plan.buttons
    pressed = desk.press("pigeon.person", "ann", button.name, button.value)
    assert pressed == InsertText("You are on the plan Nest.")


@pytest.mark.parametrize("contact", ["bo", "cy"])
def test_nothing_is_shown_of_strangers(desk: TrialDesk, contact: str) -> None:
    desk.fill_in({"key": TOKEN})
    assert desk.render("pigeon.person", contact) == []
    assert isinstance(desk.compose("pigeon.offer", contact), ShowNotice)


def test_the_composer_inserts_the_plan_and_the_offer_of_the_workspace(desk: TrialDesk) -> None:
    desk.fill_in({"key": TOKEN, "offer": "Shall we renew it?"})
    inserted = desk.compose("pigeon.offer", "ann")
    assert inserted == InsertText("You are on the plan Nest. Shall we renew it?")


def test_a_refused_key_is_said(desk: TrialDesk) -> None:
    desk.fill_in({"key": "mistyped"})
    (shown,) = desk.render("pigeon.person", "ann")
    assert shown == Paragraph("Pigeon refuses the API key. Tell an owner.")
