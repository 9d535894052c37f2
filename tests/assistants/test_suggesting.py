"""What people do with a suggestion, by the pages they use."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from host.assistants import assistants
from host.assistants.models import Mode
from host.assistants.values import Ask, CallTool, ModelAnswer, ModelError
from host.core import clock
from host.models.inbox import Message, Origin
from tests.assistants.assisting import Assisted
from tests.helpers import do
from tests.inbox import toys

SHIPPING = "To Norway it takes 4 to 6 days and costs 14 €."


@pytest.fixture
def suggested(assisted: Assisted) -> Assisted:
    """A suggestion waits for a person."""
    assisted.attach()
    assisted.said(text="Do you ship to Norway?")
    assisted.think()
    return assisted


def page(one: Assisted) -> str:
    return one.desk.browser.get(one.desk.path(f"/{one.scene.conversation('ana')}")).text


def press(one: Assisted, what: str, **form: str) -> int:
    turn = one.turns()[-1].id
    path = one.desk.path(f"/{one.scene.conversation('ana')}/suggestions/{turn}/{what}")
    return one.desk.browser.post_form(path, **form).status_code


def test_it_stands_above_the_field_with_its_sources(suggested: Assisted) -> None:
    shown = page(suggested)
    assert SHIPPING in shown
    assert "Shipping to the Nordics" in shown
    assert "local-large, version 1" in shown
    assert "Accept and send" in shown


def test_taken_it_is_the_persons_reply(suggested: Assisted) -> None:
    assert press(suggested, "accept") == 303
    (turn,) = suggested.turns()
    assert (turn.state, turn.outcome, turn.decided_by) == ("sent", "taken", suggested.desk.mia.id)
    assert suggested.automatic() == []
    assert suggested.texts() == [SHIPPING]
    assert suggested.handled_by() == "person"
    assert "Accept and send" not in page(suggested)


def test_taken_twice_it_is_sent_once(suggested: Assisted) -> None:
    press(suggested, "accept")
    press(suggested, "accept")
    assert suggested.texts() == [SHIPPING]


def test_what_is_no_longer_current_is_not_sent(suggested: Assisted) -> None:
    suggested.said(text="And to Sweden?")
    assert press(suggested, "accept") == 409
    assert suggested.texts() == []


def test_edited_it_counts_as_edited(suggested: Assisted) -> None:
    turn, here = suggested.turns()[-1].id, suggested.scene.conversation("ana")
    shown = suggested.desk.browser.get(suggested.desk.path(f"/{here}?write=reply&suggestion={turn}")).text
    assert f'name="suggestion" value="{turn}"' in shown
    form = {"text": "It is 14 €.", "reply_key": "edited-one", "suggestion": str(turn)}
    assert suggested.desk.browser.post_form(suggested.desk.path(f"/{here}/reply"), **form).status_code == 303
    assert (suggested.turns()[0].state, suggested.turns()[0].outcome) == ("sent", "edited")


def test_sent_from_the_field_as_it_stood_it_counts_as_taken(suggested: Assisted) -> None:
    turn, here = suggested.turns()[-1].id, suggested.scene.conversation("ana")
    form = {"text": f"  {SHIPPING} ", "reply_key": "edited-one", "suggestion": str(turn)}
    suggested.desk.browser.post_form(suggested.desk.path(f"/{here}/reply"), **form)
    assert suggested.turns()[0].outcome == "taken"


def test_dismissed_it_is_gone(suggested: Assisted) -> None:
    assert press(suggested, "dismiss") == 303
    assert (suggested.turns()[0].state, suggested.turns()[0].outcome) == ("dismissed", "dismissed")
    assert SHIPPING not in page(suggested)


def test_thinking_can_be_stopped(assisted: Assisted) -> None:
    assisted.attach()
    assisted.said()
    assisted.read()
    assert "Waiting until the customer finishes" in page(assisted)
    press(assisted, "dismiss")
    assert assisted.states() == [("discarded", "not_wanted")]
    assert assisted.think() == []


def test_what_failed_can_be_tried_again(assisted: Assisted) -> None:
    assisted.attach()
    assisted.said()
    assisted.model.says = ModelError("model_refused")
    assisted.think()
    assert "The model rejected" in page(assisted)
    assert press(assisted, "again") == 303
    assisted.model.says = ModelAnswer(SHIPPING, (1,))
    assisted.think()
    assert assisted.states() == [("ready", None)]


def test_what_it_does_not_know_is_said(assisted: Assisted) -> None:
    assisted.attach()
    assisted.said(text="Candles?")
    assisted.model.says = ModelAnswer(hands_over=True)
    assisted.think()
    assert "No answer found in its knowledge." in page(assisted)


def test_who_answers_by_itself_is_said_with_the_way_to_take_over(assisted: Assisted) -> None:
    assisted.attach(Mode.ANSWER)
    assisted.said()
    assisted.think()
    shown = page(assisted)
    assert "Shop desk is answering this conversation." in shown
    assert "Take over" in shown


def test_why_people_have_it_stands_in_the_thread(assisted: Assisted) -> None:
    assisted.attach(Mode.ANSWER)
    assisted.said(text="Candles?")
    assisted.model.says = ModelAnswer(hands_over=True)
    assisted.think()
    sentence = "Shop desk handed this off to the team: No answer found in its knowledge"
    assert sentence in page(assisted)
    # What follows from an event is written as the desk's own, as is what a rule does.
    line = toys.thread()[-1]
    assert line.content["what"] == "handed_to_people"
    toys.change_row(Message, line.id, origin=Origin.SYSTEM)
    shown = page(assisted)
    assert sentence in shown
    assert "The rule Shop desk" not in shown


def test_its_lines_and_notes_name_the_assistant_and_no_rule(assisted: Assisted) -> None:
    assisted.attach(Mode.ANSWER)
    assisted.set(team_id=assisted.team(name="Orders"))
    assisted.said(text="Candles?")
    assisted.model.says = ModelAnswer(hands_over=True, because="They ask for candles.")
    assisted.think()
    ours = [line for line in toys.thread() if line.content.get("by") == "Shop desk"]
    assert {line.origin for line in ours} == {Origin.SYSTEM}  # they follow from the event that made it think
    shown = page(assisted)
    assert "Private note by Shop desk" in shown
    assert "Shop desk assigned this to the team Orders" in shown
    assert "rule Shop desk" not in shown


def test_outside_the_window_of_programs_it_says_that_it_is_off(assisted: Assisted) -> None:
    assisted.attach()
    assisted.said(at=clock.now() - timedelta(hours=30))
    assert "Shop desk is off" in page(assisted)


@pytest.mark.parametrize("what", ["accept", "dismiss", "again"])
def test_a_foreign_suggestion_is_not_found(suggested: Assisted, what: str) -> None:
    suggested.said("bo")
    path = suggested.desk.path(f"/{suggested.scene.conversation('bo')}/suggestions/1/{what}")
    suggested.desk.browser.post_form(path)
    assert suggested.states() == [("ready", None)]
    assert suggested.texts() == []


class TestTools:
    @pytest.fixture
    def asking(self, assisted: Assisted) -> Assisted:
        """A tool is to be used that a person has to allow."""
        assisted.attach(builtin=("close",))
        assisted.said(text="That is all, thank you")

        def says(_ask: Ask, call: CallTool) -> ModelAnswer:
            call("close", {})
            return ModelAnswer("You are welcome.", (1,))

        assisted.model.says = says
        assisted.think()
        return assisted

    def press(self, one: Assisted, allowed: str) -> None:
        here = one.scene.conversation("ana")
        one.desk.browser.post_form(one.desk.path(f"/{here}/tool-calls/1"), allowed=allowed)

    def test_a_person_is_asked_and_nothing_is_done_before(self, asking: Assisted) -> None:
        assert "Wants to use close" in page(asking)
        assert asking.status() == "open"

    def test_allowed_it_is_done_once(self, asking: Assisted) -> None:
        self.press(asking, "1")
        assert asking.status() == "closed"
        self.press(asking, "0")
        assert asking.calls() == [("close", "done")]

    def test_refused_it_is_never_done(self, asking: Assisted) -> None:
        self.press(asking, "0")
        self.press(asking, "1")
        assert asking.status() == "open"
        assert asking.calls() == [("close", "refused")]


def test_who_stopped_it_is_nobody_named_none(assisted: Assisted) -> None:
    assisted.attach(Mode.ANSWER)
    assisted.said()
    assisted.think()

    do(assistants.change, assisted.desk.workspace, assisted.assistant, stopped=True)
    shown = page(assisted)
    assert "Someone handed this off to the team: Someone stopped the assistant" in shown
    assert "None handed" not in shown


def test_its_citations_lead_to_the_sources_and_are_in_nothing_that_is_sent(assisted: Assisted) -> None:
    one = assisted
    one.attach()
    one.said(text="Do you ship to Norway?")
    one.model.says = ModelAnswer("To Norway it costs 14 € [1]. [9] Bye [[1]1]!", (1,))
    one.think()
    turn = one.turns()[-1]
    assert turn.text == "To Norway it costs 14 €. Bye!"
    shown = page(one)
    assert 'data-suggested="To Norway it costs 14 €. Bye!"' in shown
    assert shown.count('href="#sug-src-1"') == 2
    assert 'id="sug-src-1"' in shown
    assert 'aria-label="Source 1: Shipping to the Nordics"' in shown
    press(one, "accept")
    assert one.texts() == ["To Norway it costs 14 €. Bye!"]


def test_answering_by_itself_it_sends_no_citations(assisted: Assisted) -> None:
    one = assisted
    one.attach(Mode.ANSWER)
    one.model.says = ModelAnswer("To Norway it costs 14 €【1】. [source 1] [22]", (1,))
    one.said(text="Do you ship to Norway?")
    one.think()
    (sent,) = one.texts()
    assert sent.startswith("To Norway it costs 14 €.")
    assert not re.search(r"[\[【]", sent)
