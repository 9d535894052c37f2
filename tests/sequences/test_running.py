"""Runs of sequences: each step once, within the window, and never after a person."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from host.automation.actions import AddonDoes, SetAttribute
from host.channels.directory import Directory
from host.core import clock, db
from host.delivery import outbox_head
from host.models.inbox import Conversation, Handler, Message, Reaction
from host.sdk.rules import React, RuleAction, SendText
from host.sequences.body import Act, Ask, Branch, Case, End, GoTo, Hand, Say, SequenceError, Starts, Wait
from host.sequences.models import SequenceVisit, WaitsFor
from tests.inbox import toys
from tests.sequences.sequenced import Sequenced

ORDER = Ask(
    id="number",
    text="What’s your order number?",
    kind="number",
    digits=5,
    variable="order",
    again="5 digits, please.",
)


def test_it_asks_keeps_the_answer_and_goes_on(any_sequenced: Sequenced) -> None:
    desk = any_sequenced
    desk.sequence(ORDER, Say(id="thanks", text='Looking for {{answer.order || "it"}}.'), Hand(id="people"))
    desk.said(text="Where is my order?")
    desk.run()
    assert desk.automatic() == ["What’s your order number?"]
    assert desk.last.waits_for == WaitsFor.ANSWER
    desk.said(text="it is 12 345")
    desk.run()
    assert desk.automatic() == ["What’s your order number?", "Looking for 12345."]
    assert (desk.last.outcome, desk.last.active_contact_id) == ("people", None)
    assert desk.answers() == {"order": "12345"}
    assert desk.visits() == [("number", "then"), ("thanks", "then"), ("people", None)]
    desk.read(again=True)
    desk.run()
    assert len(desk.automatic()) == 2


def test_an_answer_that_does_not_fit_is_asked_for_once_more(sequenced: Sequenced) -> None:
    desk = sequenced
    desk.sequence(ORDER, End(id="end"))
    desk.said(text="order")
    desk.run()
    for text in ("Peter", "still Peter"):
        desk.said(text=text)
        desk.run()
    assert desk.automatic() == ["What’s your order number?", "5 digits, please."]
    assert (desk.last.outcome, desk.last.reason) == ("people", "no_fit")


def test_branches_by_the_answer(sequenced: Sequenced) -> None:
    desk = sequenced
    ask = Ask(id="ask", text="Shipped or not?", kind="choice", choices=("Shipped", "Not yet"), variable="how")
    branch = Branch(id="which", cases=(Case(to="yes", variable="how", value="shipped"),), then="no")
    desk.sequence(ask, branch, Say(id="yes", text="Good", then="end"), Say(id="no", text="Hm"), End(id="end"))
    desk.said(text="order")
    desk.run()
    desk.said(text="2")
    desk.run()
    assert desk.automatic()[-1] == "Hm"
    assert desk.last.outcome == "done"
    desk.said(text="order again")
    desk.run()
    desk.said(text="shipped!")
    desk.run()
    assert desk.automatic()[-1] == "Good"


def test_it_sets_an_attribute_to_an_answer_and_clears_it(sequenced: Sequenced) -> None:
    desk = sequenced
    size = desk.attribute("Size")
    kept = Act(id="keep", action=SetAttribute(size, 'Number {{answer.order || "?"}}'))
    cleared = Act(id="clear", action=SetAttribute(size))
    desk.sequence(ORDER, kept, Wait(id="wait", until="written"), cleared, End(id="end"))
    desk.said(text="order")
    desk.run()
    desk.said(text="12345")
    desk.run()
    assert desk.values() == {size: "Number 12345"}
    desk.said(text="Thanks")
    desk.run()
    assert (desk.values(), desk.last.outcome) == ({}, "done")


@pytest.mark.parametrize(
    ("plan", "sent", "refused"),
    [
        (SendText("❤️ {{thanks"), ["❤️ {{thanks", "Bye"], None),
        (React("❤️"), ["Bye"], None),
        (None, ["Bye"], "nothing_to_do"),
        ("broken", ["Bye"], "addon_failed"),
    ],
)
def test_it_runs_an_action_of_an_addon_once(
    any_sequenced: Sequenced, plan: Any, sent: list[str], refused: str | None
) -> None:
    desk = any_sequenced
    action = RuleAction("toy.heart", "email", "say it", lambda about: plan)
    desk.desk.generation.directory = Directory([toys.RICH], actions=[action])
    heart = Act(id="heart", action=AddonDoes("toy.heart"))
    desk.sequence(heart, Say(id="bye", text="Bye"), End(id="end"))
    desk.said(text="order")
    desk.run()
    desk.read(again=True)
    desk.run()
    assert desk.automatic() == sent
    assert [one.emoji for one in toys.everything(Reaction)] == (["❤️"] if isinstance(plan, React) else [])
    with db.read() as session:
        visit = session.scalars(sa.select(SequenceVisit).where(SequenceVisit.step == "heart")).one()
    assert visit.refused == refused


def test_without_its_addon_an_action_is_left_out_and_nothing_new_is_published(sequenced: Sequenced) -> None:
    desk, action = sequenced, RuleAction("toy.heart", "email", "say it", lambda about: SendText("Hi"))
    running = desk.desk.generation.directory
    desk.desk.generation.directory = Directory([toys.RICH], actions=[action])
    steps = Act(id="heart", action=AddonDoes("toy.heart")), Say(id="bye", text="Bye"), End(id="end")
    desk.sequence(*steps)
    desk.desk.generation.directory = running
    desk.said(text="order")
    desk.run()
    assert (desk.automatic(), desk.last.outcome) == (["Bye"], "done")
    with pytest.raises(SequenceError) as found:
        desk.sequence(*steps)
    assert found.value.field == "steps.0.action"


def test_it_waits_for_a_time(sequenced: Sequenced) -> None:
    desk = sequenced
    desk.sequence(
        Say(id="one", text="One"), Wait(id="wait", hours=2), Say(id="two", text="Two"), End(id="end")
    )
    desk.said(text="order")
    desk.run()
    assert desk.automatic() == ["One"]
    with clock.travel(timedelta(hours=1)):
        desk.run()
        assert desk.automatic() == ["One"]
    with clock.travel(timedelta(hours=2, minutes=1)):
        desk.run()
        assert desk.automatic() == ["One", "Two"]


def test_a_message_ends_the_wait(sequenced: Sequenced) -> None:
    desk = sequenced
    desk.sequence(
        Say(id="one", text="One"), Wait(id="wait", hours=2), Say(id="two", text="Two"), End(id="end")
    )
    desk.said(text="order")
    desk.run()
    desk.said(text="well?")
    desk.run()
    assert desk.automatic() == ["One", "Two"]


def test_no_answer_in_time(sequenced: Sequenced) -> None:
    desk = sequenced
    ask = Ask(id="ask", text="Which?", hours=3, silent="remind")
    desk.sequence(ask, End(id="end"), Say(id="remind", text="Still there?"), End(id="bye"))
    desk.said(text="order")
    desk.run()
    with clock.travel(timedelta(hours=3, minutes=1)):
        desk.run()
    assert desk.automatic() == ["Which?", "Still there?"]
    assert desk.visits() == [("ask", "silent"), ("remind", "then"), ("bye", None)]


def test_nothing_is_sent_after_the_window(sequenced: Sequenced) -> None:
    """A worker that stood still: the proof held, but the time has passed."""
    desk = sequenced
    desk.sequence(
        Say(id="one", text="One"), Wait(id="wait", hours=20), Say(id="two", text="Two"), End(id="end")
    )
    desk.said(text="order")
    desk.run()
    with clock.travel(timedelta(hours=30)):
        desk.run()
    assert desk.automatic() == ["One"]
    assert (desk.last.outcome, desk.last.reason) == ("stopped", "people_only")


def test_a_person_ends_it(sequenced: Sequenced) -> None:
    desk = sequenced
    desk.sequence(ORDER, End(id="end"))
    desk.said(text="order")
    desk.run()
    desk.scene.echo("ana", "I can help", clock.now())
    desk.run()
    assert (desk.last.outcome, desk.last.reason) == ("stopped", "person")
    desk.said(text="12345")
    desk.run()
    assert desk.automatic() == ["What’s your order number?"]


def test_somebody_asks_for_a_person(sequenced: Sequenced) -> None:
    desk = sequenced
    desk.sequence(ORDER, End(id="end"))
    desk.said(text="order")
    desk.run()
    desk.said(text="human")
    desk.run()
    assert (desk.last.outcome, desk.last.reason) == ("people", "asked")


def test_stop_ends_it(sequenced: Sequenced) -> None:
    desk = sequenced
    desk.sequence(ORDER, End(id="end"))
    desk.said(text="order")
    desk.run()
    desk.said(text="STOP")
    desk.run()
    assert (desk.last.outcome, desk.last.reason) == ("stopped", "opted_out")
    assert desk.automatic() == ["What’s your order number?"]


def test_two_messages_at_once(sequenced: Sequenced) -> None:
    """The second is the answer, even though the run had not started when it was read."""
    desk = sequenced
    desk.sequence(ORDER, Say(id="thanks", text="Thanks"), End(id="end"))
    desk.said(text="order")
    desk.said(text="54321")
    desk.run()
    assert desk.automatic() == ["What’s your order number?", "Thanks"]
    assert desk.answers() == {"order": "54321"}


def test_a_loop_with_the_customer(sequenced: Sequenced) -> None:
    desk = sequenced
    desk.sequence(Ask(id="ask", text="What?"), Say(id="say", text="Hm"), GoTo(id="again", then="ask"))
    desk.said(text="order")
    for text in ("a", "b", "c"):
        desk.run()
        desk.said(text=text)
    desk.run()
    assert desk.automatic() == ["What?", "Hm", "What?", "Hm", "What?", "Hm", "What?"]


def test_only_one_at_a_time_by_priority(sequenced: Sequenced) -> None:
    desk = sequenced
    first = desk.sequence(ORDER, End(id="end"), name="First")
    desk.sequence(Say(id="say", text="Second"), End(id="end"), starts=Starts(first=True), name="Second")
    desk.said(text="an order")
    desk.run()
    assert [one.sequence_id for one in desk.runs()] == [first]
    desk.said("bo", text="Hello")
    desk.run()
    assert desk.automatic("bo") == ["Second"]
    desk.said("bo", text="Hello again")
    desk.run()
    assert desk.automatic("bo") == ["Second"]


def test_what_was_said_before_people_take_over_still_leaves(sequenced: Sequenced) -> None:
    """Handing over stops automation; the last words of the sequence belong to it."""
    desk = sequenced
    desk.sequence(ORDER, Say(id="thanks", text="Thanks"), Hand(id="people"))
    desk.said(text="order")
    desk.run()
    desk.said(text="54321")
    desk.run()
    with db.read() as session:
        said = session.scalars(sa.select(Message).where(Message.text == "Thanks")).one()
        conversation = session.get_one(Conversation, said.conversation_id)
        assert conversation.handled_by == Handler.PERSON
        assert outbox_head._unwanted(session, said, conversation) is None
        asked = session.scalars(sa.select(Message).where(Message.text == ORDER.text)).one()
        assert outbox_head._unwanted(session, asked, conversation) is not None
