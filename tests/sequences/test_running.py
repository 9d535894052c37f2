"""Runs of sequences: each step once, within the window, and never after a person."""

from __future__ import annotations

import io
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.automation.actions import AddLabel, AddNote, AddonDoes, RunMacro, SendReply, SetAttribute
from host.automation.deciding import BUDGET
from host.channels.directory import Directory
from host.core import clock, db, storage
from host.delivery import outbox_head
from host.delivery.worker import drain
from host.inbox.canned import macros, replies
from host.inbox.canned.replies import ANY, CannedReplyInput, Viewer
from host.inbox.labels import labels
from host.inbox.labels.models import LabelTone
from host.media import uploads
from host.models.inbox import Conversation, Handler, Message, Reaction
from host.sdk.channel import SendRequest, Sent
from host.sdk.rules import React, RuleAction, SendText
from host.sequences.body import (
    Act,
    Ask,
    Branch,
    Card,
    Case,
    End,
    GoTo,
    Hand,
    Say,
    SequenceError,
    Show,
    Starts,
    Wait,
)
from host.sequences.models import SequenceVisit, WaitsFor
from host.sequences.runner import Walk
from tests.helpers import do, work
from tests.inbox import toys
from tests.media import samples
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


def test_a_start_word_that_comes_twice_is_no_answer(any_sequenced: Sequenced) -> None:
    desk = any_sequenced
    ask = Ask(id="ask", text="Which one?", variable="which", again="Sorry?")
    desk.sequence(
        Say(id="hi", text="Hi"), ask, ORDER, End(id="end"), starts=Starts(words=("order", "parcel"))
    )
    desk.said(text="order")
    desk.said(text="Order!")  # before the first one was read
    desk.run()
    assert desk.automatic() == ["Hi", "Which one?", "Which one?"]
    assert (desk.last.waits_for, desk.answers()) == (WaitsFor.ANSWER, {})
    desk.said(text="my order of Monday")
    desk.run()
    assert desk.answers() == {"which": "my order of Monday"}
    # A later question isn't the start: what does not fit is asked for as always.
    desk.said(text="parcel")
    desk.run()
    assert desk.automatic()[-1] == "5 digits, please."
    assert len(desk.runs()) == 1


def test_a_start_word_that_comes_twice_takes_no_try(sequenced: Sequenced) -> None:
    desk = sequenced
    desk.sequence(ORDER, End(id="end"))
    for text in ("order", "order", "12"):
        desk.said(text=text)
        desk.run()
    assert desk.automatic() == [ORDER.text, ORDER.text, ORDER.again]
    desk.said(text="12345")
    desk.run()
    assert (desk.answers(), desk.last.outcome) == ({"order": "12345"}, "done")


def test_a_customer_who_only_repeats_the_start_word_goes_to_people(sequenced: Sequenced) -> None:
    desk = sequenced
    desk.sequence(Ask(id="ask", text="Which one?", told="Somebody answers soon."), End(id="end"))
    for _time in range(4):
        desk.said(text="order")
        desk.run()
    assert desk.automatic() == ["Which one?", "Which one?", "Which one?", "Somebody answers soon."]
    assert (desk.last.outcome, desk.last.reason) == ("people", "no_fit")


def test_a_start_word_is_an_answer_where_nothing_else_was_meant(sequenced: Sequenced) -> None:
    desk = sequenced
    ask = Ask(id="ask", text="What about?", kind="choice", choices=("Order", "Return"), variable="topic")
    desk.sequence(ask, End(id="end"), starts=Starts(words=("order",), first=True))
    desk.said(text="order")
    desk.run()
    desk.said(text="order")
    desk.run()
    assert (desk.answers(), desk.last.outcome) == ({"topic": "Order"}, "done")


def test_a_start_word_answers_a_sequence_that_something_else_started(sequenced: Sequenced) -> None:
    desk = sequenced
    ask = Ask(id="ask", text="What about?", variable="topic")
    desk.sequence(ask, End(id="end"), starts=Starts(words=("order",), first=True))
    desk.said(text="Hello")
    desk.run()
    assert desk.last.started_by == "first"
    desk.said(text="order")
    desk.run()
    assert (desk.answers(), desk.last.outcome) == ({"topic": "order"}, "done")


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


@pytest.fixture
def kept_files(tmp_path: Path) -> None:
    storage.use(storage.FolderStore(tmp_path / "files"))


def hours_reply(desk: Sequenced) -> int:
    """Make a shared canned reply with a file. Needs ``kept_files``."""
    desk.desk.generation.directory = Directory([toys.RICH])
    place: dict[str, Any] = {"workspace_id": desk.desk.workspace}
    upload = uploads.keep_upload(io.BytesIO(samples.PDF), "map.pdf", user_id=desk.desk.mia.id, **place)
    wanted = CannedReplyInput(
        "hours",
        "Hours",
        {ANY: "Hi {{contact.first_name}}, 9 to 5.", "de": "9 bis 17 Uhr."},
        uploads=(upload.id,),
    )
    viewer = Viewer(desk.desk.mia.id, keeps=True)
    return db.write(lambda session: replies.create(work(session, desk.desk.workspace), wanted, viewer).id)


@pytest.mark.usefixtures("kept_files")
def test_a_canned_reply_is_sent_once_with_its_files(any_sequenced: Sequenced) -> None:
    desk = any_sequenced
    hours = Act(id="hours", action=SendReply(hours_reply(desk)))
    desk.sequence(hours, Say(id="bye", text="Bye"), End(id="end"))
    desk.said(text="order")
    desk.run()
    desk.read(again=True)
    desk.run()
    sent = [one for one in toys.everything(Message) if one.direction == "outbound"]
    assert [(one.kind, one.text) for one in sent] == [
        ("file", ""),
        ("text", "Hi Ana, 9 to 5."),
        ("text", "Bye"),
    ]
    assert {one.origin for one in sent} == {"system"}
    assert desk.last.outcome == "done"


@pytest.mark.usefixtures("kept_files")
def test_a_canned_reply_that_cannot_be_sent_leads_to_people(sequenced: Sequenced) -> None:
    desk = sequenced
    canned = hours_reply(desk)
    desk.sequence(Act(id="hours", action=SendReply(canned)), Say(id="bye", text="Bye"), End(id="end"))
    do(replies.delete, desk.desk.workspace, canned, Viewer(desk.desk.mia.id, keeps=True))
    desk.said(text="order")
    desk.run()
    assert desk.automatic() == []
    assert (desk.last.outcome, desk.last.reason) == ("stopped", "canned_reply_not_found")


@pytest.mark.parametrize("is_deleted", [False, True])
def test_a_macro_is_run_whole_or_left_out(any_sequenced: Sequenced, is_deleted: bool) -> None:
    desk = any_sequenced
    viewer = Viewer(desk.desk.mia.id, keeps=True)

    def make(session: Session) -> tuple[int, int]:
        label = labels.create(work(session, desk.desk.workspace), name="Wrapped", tone=LabelTone.TEAL)
        steps = (AddLabel(label.id), AddNote("Wrapped up"))
        macro = macros.create(
            work(session, desk.desk.workspace), viewer, name="Wrap up", steps=steps, shared=True
        )
        return macro.id, label.id

    macro, label = db.write(make)
    desk.sequence(Act(id="wrap", action=RunMacro(macro)), Say(id="bye", text="Bye"), End(id="end"))
    if is_deleted:  # the note must not be left alone
        do(labels.delete, desk.desk.workspace, label)
    desk.said(text="order")
    desk.run()
    assert (desk.automatic(), desk.last.outcome) == (["Bye"], "done")
    notes = [one.text for one in toys.everything(Message) if one.kind == "note"]
    with db.read() as session:
        visit = session.scalars(sa.select(SequenceVisit).where(SequenceVisit.step == "wrap")).one()
    assert (notes, visit.refused) == (([], "macro_step") if is_deleted else (["Wrapped up"], None))


def test_lines_and_notes_of_a_sequence_say_which(sequenced: Sequenced) -> None:
    desk = sequenced
    viewer = Viewer(desk.desk.mia.id, keeps=True)

    def make(session: Session) -> int:
        label = labels.create(work(session, desk.desk.workspace), name="Wrapped", tone=LabelTone.TEAL)
        steps = (AddLabel(label.id), AddNote("Wrapped up"))
        return macros.create(
            work(session, desk.desk.workspace), viewer, name="Wrap up", steps=steps, shared=True
        ).id

    steps = Act(id="wrap", action=RunMacro(db.write(make))), Hand(id="hand")
    desk.sequence(*steps, name="Orders")
    desk.said("ana", "order")
    desk.run()
    thread = f"/{desk.scene.conversation('ana')}"

    def page() -> str:
        return desk.desk.browser.get(desk.desk.path(thread)).text

    said = page()
    assert "The sequence Orders added Wrapped" in said
    assert "Private note by the sequence Orders" in said
    assert "The sequence Orders handed" in said
    assert "rule Orders" not in said
    for row in toys.everything(Message):
        if row.content.get("sequence"):
            content = {name: value for name, value in row.content.items() if name != "sequence"}
            toys.change_row(Message, row.id, content=content)
    said = page()
    assert "The rule Orders added Wrapped" in said, "a line from before sequences were named stays"


@pytest.mark.parametrize("plan", [React("❤️"), SendText("Hi")])
def test_only_what_sends_is_refused_after_the_last_message_that_may_be_sent(
    sequenced: Sequenced, plan: Any
) -> None:
    desk = sequenced
    action = RuleAction("toy.heart", "email", "say it", lambda about: plan)
    desk.desk.generation.directory = Directory([toys.RICH], actions=[action])
    viewer = Viewer(desk.desk.mia.id, keeps=True)
    macro = db.write(
        lambda session: (
            macros.create(
                work(session, desk.desk.workspace), viewer, name="Note", steps=(AddNote("Seen"),), shared=True
            ).id
        )
    )
    steps = Act(id="heart", action=AddonDoes("toy.heart")), Act(id="note", action=RunMacro(macro))
    desk.sequence(*steps, Hand(id="people"))
    desk.said(text="order")
    with mock.patch.object(Walk, "_unanswered", return_value=BUDGET):
        desk.run()
    with db.read() as session:
        refused = dict(session.execute(sa.select(SequenceVisit.step, SequenceVisit.refused)).all())
    assert refused["heart"] == ("budget" if isinstance(plan, SendText) else None)
    assert refused["note"] is None
    assert [one.text for one in toys.everything(Message) if one.kind == "note"] == ["Seen"]


CARDS = Show(
    id="cards",
    cards=(
        Card(
            title='Mug for {{contact.first_name || "you"}}',
            text="12 EUR",
            picture="https://example.com/mug.jpg",
        ),
        Card(title="Bowl", button="Look", url="https://example.com/bowl"),
        Card(title="Vase", button="I want it"),
    ),
)


def test_cards_are_sent_and_their_buttons_are_answers(any_sequenced: Sequenced) -> None:
    desk = any_sequenced
    desk.desk.generation.directory = Directory([toys.RICH])
    desk.sequence(CARDS, Wait(id="wait", until="written"), Say(id="bye", text="Bye"), End(id="end"))
    desk.said(text="order")
    desk.run()
    (message,) = [one for one in toys.everything(Message) if one.direction == "outbound"]
    assert message.kind == "template"
    assert message.content["template"]["elements"] == [
        {"title": "Mug for Ana", "subtitle": "12 EUR", "image_url": "https://example.com/mug.jpg"},
        {"title": "Bowl", "buttons": [{"title": "Look", "url": "https://example.com/bowl"}]},
        {"title": "Vase", "buttons": [{"title": "I want it", "payload": "I want it"}]},
    ]
    desk.said(text="I want it")
    desk.run()
    assert desk.automatic()[1:] == ["Bye"]


def test_channels_without_cards_get_a_text(sequenced: Sequenced) -> None:
    desk = sequenced
    desk.desk.generation.directory = Directory([toys.TOY])
    desk.sequence(CARDS, End(id="end"))
    desk.said(text="order")
    desk.run()
    said = "Mug for Ana\n12 EUR\n\nBowl\nhttps://example.com/bowl\n\nVase"
    assert desk.automatic() == [said]


@pytest.mark.parametrize(
    ("cards", "field"),
    [
        ((), "steps.0.cards"),
        ((Card(title="Mug", text="x"),) * 11, "steps.0.cards"),
        ((Card(title=" ", text="x"),), "steps.0.cards.0.title"),
        ((Card(title="Mug"),), "steps.0.cards.0.text"),
        ((Card(title="Mug", text="x" * 81),), "steps.0.cards.0.text"),
        ((Card(title="Mug", picture="javascript:alert(1)"),), "steps.0.cards.0.picture"),
        ((Card(title="Mug", text="x", url="https://example.com"),), "steps.0.cards.0.button"),
        ((Card(title="Mug", text="x"), Card(title="{{nobody}}", text="x")), "steps.0.cards.1.title"),
    ],
)
def test_cards_that_cannot_be_shown_are_refused(
    sequenced: Sequenced, cards: tuple[Card, ...], field: str
) -> None:
    with pytest.raises(SequenceError) as found:
        sequenced.sequence(Show(id="cards", cards=cards), End(id="end"), publish=False)
    assert found.value.field == field


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


def test_who_gave_wrong_answers_is_told_that_people_take_over(sequenced: Sequenced) -> None:
    """It leaves although people have the conversation, and without the choices of the question."""
    desk, ledger = sequenced, []

    def send(_toy: Any, request: SendRequest) -> Sent:
        ledger.append(request.part.text)
        return Sent(f"sent-{len(ledger)}")

    told = "Somebody of our team will answer you."
    ask = Ask(id="ask", text="Which?", kind="choice", choices=("Shoes", "Bag"), told=told)
    desk.sequence(ask, Hand(id="people"))
    with mock.patch.object(toys.Toy, "send", send):
        for text in ("order", "hm", "no"):
            desk.said(text=text)
            desk.run()
            drain(desk.desk.generation)
    question = "Which?\n1. Shoes\n2. Bag"
    assert ledger == [question, question, told]
    assert (desk.last.outcome, desk.last.reason) == ("people", "no_fit")
    with db.read() as session:
        assert session.scalars(sa.select(Conversation)).one().handled_by == Handler.PERSON


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
