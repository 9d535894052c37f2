"""Rules on a tap that an ice breaker or a menu item answers itself."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from host.automation.deciding import Answer
from host.features import registry
from tests.automation.test_taps import keep, tap
from tests.rules.ruled import Ruled

SAY = {"do": "say", "text": "We look at it."}


@pytest.fixture(autouse=True)
def _on_again() -> Iterator[None]:
    yield
    registry.switch_off(())


def test_the_answer_goes_before_what_a_rule_would_say_which_still_does_the_rest(any_desk: Ruled) -> None:
    desk = any_desk
    label = {"do": "label", "label": desk.label("order")}
    rule = desk.rule(label, SAY, conditions=[{"if": "sent", "kinds": ["postback"]}])
    keep(desk, {"Where is my order?": Answer("Tell us the number."), "Open?": Answer()})
    tap(desk, "Where is my order?")
    desk.run()
    assert desk.automatic() == ["Tell us the number."]
    (ran,) = desk.ran(rule)
    assert ran.done == [("label", ""), ("say", "tap_answered")]
    # Without an answer, or where it isn't sent, the rule says it.
    tap(desk, "Open?")
    desk.run()
    assert desk.automatic() == ["Tell us the number.", "We look at it."]
    tap(desk, "Where is my order?")
    desk.read()
    keep(desk, {})
    desk.run()
    assert desk.automatic() == ["Tell us the number.", "We look at it.", "We look at it."]


def test_taps_are_answered_while_rules_are_off(automated: Ruled) -> None:
    automated.rule(SAY, conditions=[{"if": "sent", "kinds": ["postback"]}])
    registry.switch_off(("rules",))
    keep(automated, {"Open?": Answer("From 9 to 18.")})
    tap(automated, "Open?")
    automated.run()
    assert automated.automatic() == ["From 9 to 18."]
