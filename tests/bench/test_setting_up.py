"""Actions of a person are counted, whatever they do, and a walk that takes too many is missed."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest

from bench import setting_up
from bench.person import Person
from bench.setting_up import FIRST_ANSWER, SET_UPS, Walked, figure


def test_every_way_to_act_is_an_action_and_looking_is_none() -> None:
    person = Person(MagicMock())
    person.arrive("/w/1/settings/automation")
    person.sees("Automation")
    person.waits(0)
    assert person.actions == 0
    person.click("button", "Save")
    person.click("radio", "Live", within=("group", "State"))
    person.unfold("Variables")
    person.follow("Rules")
    person.fill("Name", "Pottery")
    person.choose("Schedule", "Custom hours")
    person.attach("File", Path("glazes.md"))
    person.press("Enter")
    assert person.actions == 8
    assert person.done[-1] == "press Enter"


def test_a_person_has_no_other_way_to_the_page() -> None:
    """A method that is added here is an action, or has to be named as none."""
    looks = {"actions", "seconds", "arrive", "sees", "waits"}
    public = {name for name in vars(Person) if not name.startswith("_")}
    assert public - looks == {"click", "unfold", "follow", "fill", "choose", "attach", "press"}
    assert {name for name in vars(Person(MagicMock())) if not name.startswith("_")} == {"done"}


def test_only_the_first_page_is_opened_by_its_address() -> None:
    person = Person(MagicMock())
    with pytest.raises(RuntimeError, match="arrives before"):
        person.press("Enter")
    person.arrive("/setup/1")
    with pytest.raises(RuntimeError, match="follows links"):
        person.arrive("/w/1/inbox")


def test_a_limit_that_is_passed_is_missed() -> None:
    at_limit = figure(Walked(FIRST_ANSWER, 25, 31.5))
    assert (at_limit.key, at_limit.value, at_limit.met) == ("setup first DM", 25, True)
    assert "31.5 s" in at_limit.detail
    passed = Walked(FIRST_ANSWER, 26, 31.5)
    assert not figure(passed).met
    assert str(passed) == "first DM: 26 actions of 25, too many, 31.5 s"


def test_the_limits_are_those_that_were_asked_for() -> None:
    wanted = {"welcome": 12, "comment": 8, "unanswered": 6, "ice breakers": 9, "assistant": 10}
    assert {one.key: one.limit for one in SET_UPS} == wanted
    assert FIRST_ANSWER.limit == 25


@pytest.mark.browser
@pytest.mark.slow
def test_every_set_up_works_and_keeps_to_its_limit(tmp_path: Path, chromium: Any) -> None:
    found = list(setting_up.walked(chromium, tmp_path))
    assert [one.walk for one in found] == [FIRST_ANSWER, *SET_UPS]
    assert [str(one) for one in found if one.actions > one.walk.limit] == []
