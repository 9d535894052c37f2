"""Whatever happens around a run: it says nothing wrong, nothing twice, and ends in a known state."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any
from unittest import mock

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.addons import switching
from host.automation import running as automation
from host.automation.actions import AddLabel
from host.automation.consuming import Automating
from host.channels import accounts
from host.channels.directory import Directory
from host.core import clock, db
from host.features import registry
from host.inbox import erasure
from host.inbox.contacts import attributes, merging
from host.inbox.contacts.models import AttributeKind
from host.inbox.conversation_actions import set_fields
from host.inbox.labels import labels
from host.inbox.teams import teams
from host.models.inbox import Conversation, ConversationStatus, Handler, Message
from host.sdk.messages import MessageEdited, MessageKind, MessageUnsent
from host.sequences import answers, data, people, runner, sequences, waits
from host.sequences.body import Act, Ask, Branch, Case, End, Hand, Say, Starts, Wait
from host.sequences.filters import RunFilter
from host.sequences.models import (
    SequenceAnswer,
    SequenceRun,
    SequenceVersion,
    SequenceVisit,
    WaitsFor,
)
from host.users import workspaces
from tests import helpers
from tests.automation.automated import shut
from tests.helpers import do, work
from tests.sequences.sequenced import Sequenced

WHICH = Ask(id="which", text="Which order?", variable="order")
END = End(id="end")
THANKS = Say(id="thanks", text="Thanks")
WAITING = (Say(id="one", text="One"), Wait(id="wait", hours=2), Say(id="two", text="Two"), END)


def change(desk: Sequenced, contact: str = "ana", **changes: Any) -> None:
    """Have Mia change fields of a conversation."""
    do(set_fields, desk.desk.workspace, desk.scene.conversation(contact), changes, actor=desk.desk.mia.id)


def tapped(desk: Sequenced, title: str, payload: str, contact: str = "ana") -> None:
    desk.said(contact, text=title, content={"payload": payload})


def set_release(desk: Sequenced) -> None:
    """Have the account greet: what no sequence wants is greeted."""
    desk.set(greets=True, greeting="Welcome")


def begin(desk: Sequenced, contact: str = "ana") -> None:
    desk.said(contact, text="order")
    desk.run()


# ---- what steps name is gone ---------------------------------------------------------------------------


def test_a_label_a_team_and_an_attribute_are_deleted(sequenced: Sequenced) -> None:
    desk = sequenced
    label, team = desk.label("Orders"), desk.team(desk.desk.mia.id)
    place = desk.desk.workspace
    kept = helpers.do(attributes.create, place, name="Number", kind=AttributeKind.TEXT).id
    desk.sequence(
        Ask(id="which", text="Which?", attribute=kept),
        Act(id="label", action=AddLabel(label)),
        Hand(id="people", team=team),
    )
    helpers.do(labels.delete, place, label)
    helpers.do(teams.delete, place, team)
    helpers.do(attributes.delete, place, kept)
    begin(desk)
    desk.said(text="12345")
    desk.run()
    assert (desk.last.outcome, desk.last.attempts) == ("people", 0)
    with db.read() as session:
        refused = session.scalars(sa.select(SequenceVisit.refused).order_by(SequenceVisit.number)).all()
    assert refused[0] is not None
    assert refused[1] is not None
    assert desk.talk().handled_by == Handler.PERSON


def test_a_variable_nobody_answered(sequenced: Sequenced) -> None:
    """A branch by an answer that was never given takes the other way."""
    desk = sequenced
    branch = Branch(id="by", cases=(Case(to="yes", variable="order"),), then="no")
    silent = Ask(id="which", text="Which?", variable="order", hours=1, silent="by")
    desk.sequence(
        silent,
        branch,
        Say(id="yes", text="Yes", then="end"),
        Say(id="no", text='No {{answer.order || "such order"}}'),
        END,
    )
    begin(desk)
    with clock.travel(timedelta(hours=2)):
        desk.run()
    assert desk.automatic() == ["Which?", "No such order"]
    assert desk.last.outcome == "done"


def test_a_picture_where_a_date_was_asked(sequenced: Sequenced) -> None:
    desk = sequenced
    desk.sequence(Ask(id="when", text="When?", kind="date", variable="day", again="A date, please"), END)
    begin(desk)
    desk.said(text="", kind=MessageKind.IMAGE)
    desk.run()
    assert desk.automatic() == ["When?", "A date, please"]
    desk.said(text="2027-02-30")
    desk.run()
    assert (desk.last.outcome, desk.last.reason) == ("people", "no_fit")
    assert desk.answers() == {}


@pytest.mark.parametrize("kind", ["text", "choice", "number", "email", "phone", "date"])
@pytest.mark.parametrize(
    "text",
    ["", "9" * 5000, "٣/٤/٢٠٢٦", "1.1.999999999999", "0000-00-00", "a@" * 900, "\x00", "²", "((((((((("],
)
def test_any_text_is_read(kind: Any, text: str) -> None:
    step = Ask(id="a", text="?", kind=kind, choices=("a", "b"))
    for language in (None, "de", "pt-BR", "nonsense", ""):
        found = answers.fitting(step, text, None, language)
        assert found is None or 0 < len(found) <= 500


def test_payloads_of_programs_are_read() -> None:
    assert answers.chosen("lobby:sequence:1:1:0", 1, 1) == 0
    for payload in ("lobby:sequence:1:1:" + "9" * 5000, "lobby:sequence:1:1:²", "lobby:sequence:1:2:0", "::"):
        assert answers.chosen(payload, 1, 1) is None
    choice = Ask(id="a", text="?", kind="choice", choices=("a", "b"))
    assert answers.fitting(choice, "", 9999, None) is None
    day = Ask(id="a", text="?", kind="date")
    assert answers.fitting(day, "24/12/2026", None, "pt-BR") == "2026-12-24"


# ---- taps ----------------------------------------------------------------------------------------------

CHOICE = Ask(id="how", text="Shipped?", kind="choice", choices=("Yes", "Not yet"), variable="how")


def test_a_stale_tap_starts_nothing(sequenced: Sequenced) -> None:
    desk = sequenced
    set_release(desk)
    desk.sequence(CHOICE, END, starts=Starts(words=("order",), taps=("Yes",), first=True))
    begin(desk)
    first = desk.last
    tapped(desk, "Yes", answers.payload(first.id, first.number, 0))
    desk.run()
    assert desk.last.outcome == "done"
    for run_id in (first.id, first.id + 1000):
        tapped(desk, "Yes", answers.payload(run_id, 1, 0))
        desk.run()
    tapped(desk, "Yes", answers.payload(first.id, 1, 0), "bo")
    desk.run()
    assert [one.id for one in desk.runs()] == [first.id]
    assert desk.automatic("bo") == ["Welcome"]
    tapped(desk, "Yes", "Yes", "cem")
    desk.run()
    assert desk.last.started_by == "tap"


def test_a_tap_on_an_earlier_question_is_a_message(sequenced: Sequenced) -> None:
    desk = sequenced
    desk.sequence(CHOICE, Ask(id="size", text="Size?", variable="size"), END)
    begin(desk)
    payload = answers.payload(desk.last.id, desk.last.number, 0)
    tapped(desk, "Yes", payload)
    desk.run()
    tapped(desk, "Yes", payload)
    desk.run()
    assert desk.answers() == {"how": "Yes", "size": "Yes"}
    assert desk.automatic() == ["Shipped?\n1. Yes\n2. Not yet", "Size?"]


# ---- messages that change ------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["edited", "unsent"])
@pytest.mark.parametrize("kind", ["wait", "ended"])
def test_an_answer_that_is_taken_back_is_not_kept(sequenced: Sequenced, how: str, kind: str) -> None:
    desk = sequenced
    branch = Branch(id="by", cases=(Case(to="yes", variable="order"),), then="no")
    wait = Wait(id="wait", hours=2, early=False)
    steps = (wait, branch) if kind == "wait" else (branch,)
    desk.sequence(WHICH, *steps, Say(id="yes", text="Yes", then="end"), Say(id="no", text="No"), END)
    begin(desk)
    desk.said(text="12345", external_id="answer")
    desk.run()
    assert desk.answers() == {"order": "12345"}
    at = clock.now()
    back = (
        MessageEdited(contact="ana", external_id="answer", at=at, text="none", number=1)
        if how == "edited"
        else MessageUnsent(contact="ana", external_id="answer", at=at)
    )
    desk.scene.apply(back)
    desk.run()
    assert desk.answers() == {}
    if kind == "wait":
        with clock.travel(timedelta(hours=3)):
            desk.run()
        assert desk.automatic()[-1] == "No"
    assert desk.last.outcome == "done"


def test_an_answer_unsent_before_it_was_read(sequenced: Sequenced) -> None:
    desk = sequenced
    desk.sequence(WHICH, END)
    begin(desk)
    desk.said(text="12345", external_id="answer")
    desk.read()
    desk.scene.apply(MessageUnsent(contact="ana", external_id="answer", at=clock.now()))
    desk.run()
    assert (desk.answers(), desk.last.waits_for) == ({}, WaitsFor.ANSWER)


# ---- at the same moment --------------------------------------------------------------------------------


def test_two_answers_at_the_same_moment(sequenced: Sequenced) -> None:
    desk = sequenced
    desk.sequence(WHICH, Ask(id="size", text="Size?", variable="size"), END)
    begin(desk)
    desk.said(text="12345")
    desk.said(text="large")
    desk.run()
    assert desk.answers() == {"order": "12345", "size": "large"}
    assert desk.last.outcome == "done"


def test_a_later_message_waits_for_an_earlier_one(sequenced: Sequenced) -> None:
    """Another worker may hold the first one back; the second must not be taken before it."""
    desk = sequenced
    desk.sequence(WHICH, Ask(id="size", text="Size?", variable="size"), END)
    begin(desk)
    desk.said(text="12345")
    desk.said(text="large")
    desk.read()
    with db.read() as session:
        _first, (second, _since) = automation.due(session, clock.now())
    db.write(automation.do, second, desk.desk.generation.directory, clock.now())
    assert desk.answers() == {}
    with clock.travel(timedelta(seconds=1)):
        desk.run()
    assert desk.answers() == {"order": "12345", "size": "large"}


@pytest.mark.parametrize(
    ("messages", "said"),
    [
        (("order", "12345"), ["Which order?", "Thanks"]),
        (("order", "order", "12345"), ["Which order?", "Which order?", "Thanks"]),
    ],
)
def test_several_workers(any_sequenced: Sequenced, messages: Sequence[str], said: list[str]) -> None:
    desk = any_sequenced
    set_release(desk)
    desk.sequence(WHICH, THANKS, Wait(id="wait", hours=1), Say(id="two", text="Two"), END)
    for contact in ("ana", "bo"):
        for text in messages:
            desk.said(contact, text=text)
    desk.read()
    side_by_side(desk)
    with clock.travel(timedelta(seconds=10)):
        side_by_side(desk)
    for contact in ("ana", "bo"):
        assert desk.automatic(contact) == said
    with clock.travel(timedelta(hours=2)):
        side_by_side(desk)
    assert [desk.automatic(contact) for contact in ("ana", "bo")] == [[*said, "Two"]] * 2
    assert {one.outcome for one in desk.runs()} == {"done"}


def side_by_side(desk: Sequenced) -> None:
    """Do what is due in three threads, as several workers do."""
    troubles: list[BaseException] = []
    start = threading.Barrier(3)
    directory = desk.desk.generation.directory

    def work() -> None:
        try:
            start.wait()
            while automation.run_due(directory) or waits.run_due(directory):
                pass
        except BaseException as error:  # noqa: BLE001 - told by the thread that waits
            troubles.append(error)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert not troubles


def merge(desk: Sequenced, first: str, second: str) -> int:
    def use_case(session: Session) -> int:
        here = {
            name: session.get_one(Conversation, desk.scene.conversation(name)).contact_id
            for name in (first, second)
        }
        return merging.merge(work(session, desk.desk.workspace), here[first], here[second]).contact_id

    return db.write(use_case)


def test_a_contact_with_two_conversations_is_in_one_sequence(sequenced: Sequenced) -> None:
    desk = sequenced
    set_release(desk)
    for contact in ("ana", "bo"):
        desk.said(contact, text="Hello")
    desk.run()
    merge(desk, "ana", "bo")
    desk.sequence(WHICH, END)
    for contact in ("ana", "bo"):
        desk.said(contact, text="order")
    desk.run()
    assert len(desk.runs()) == 1
    assert desk.automatic("bo") == ["Welcome"]


def test_two_starts_that_both_saw_no_other(sequenced: Sequenced) -> None:
    """Two workers: the second finds out only when it writes."""
    desk = sequenced
    for contact in ("ana", "bo"):
        desk.said(contact, text="Hello")
    desk.run()
    merge(desk, "ana", "bo")
    desk.sequence(WHICH, END)
    begin(desk)
    desk.said("bo", text="order")
    with mock.patch("host.sequences.starts.is_in_sequence", return_value=False):
        desk.run()
    assert len(desk.runs()) == 1
    assert ("sequence", "skipped", None, "in_sequence") in desk.runs_of_automation()


def test_two_in_sequences_are_merged(sequenced: Sequenced) -> None:
    """Each goes on where it is; nothing starts until both have ended."""
    desk = sequenced
    desk.sequence(WHICH, THANKS, END)
    for contact in ("ana", "bo"):
        begin(desk, contact)
    merge(desk, "ana", "bo")
    desk.said(text="1")
    desk.run()
    assert [one.outcome for one in desk.runs()] == ["done", None]
    desk.said(text="order")
    desk.run()
    assert len(desk.runs()) == 2
    desk.said("bo", text="2")
    desk.run()
    assert [one.outcome for one in desk.runs()] == ["done", "done"]
    desk.said(text="order")
    desk.run()
    assert len(desk.runs()) == 3


def test_an_erased_contact(sequenced: Sequenced) -> None:
    desk = sequenced
    desk.sequence(WHICH, *WAITING)
    begin(desk)
    desk.said(text="12345")
    desk.run()
    contact = desk.talk().contact_id
    db.write(lambda session: session.execute(sa.update(Message).values(state="sent")).rowcount)
    do(erasure.erase, desk.desk.workspace, contact)
    assert list(desk.runs()) == []
    with clock.travel(timedelta(hours=3)):
        desk.run()
    with db.read() as session:
        for table in (SequenceRun, SequenceVisit, SequenceAnswer):
            assert session.scalar(sa.select(sa.func.count()).select_from(table)) == 0
        assert session.scalars(sa.select(Conversation.handled_by)).all() == [Handler.NOBODY]


# ---- clocks --------------------------------------------------------------------------------------------


def test_the_clock_moved_back(sequenced: Sequenced) -> None:
    """The wait is as long as it was to be, and no longer."""
    desk = sequenced
    desk.sequence(*WAITING)
    with clock.travel(timedelta(days=20)):
        begin(desk)
    db.write(lambda session: data.clock_moved_back(session=session, latest=clock.now()))
    with clock.travel(timedelta(hours=1)):
        desk.run()
    assert desk.last.outcome is None
    with clock.travel(timedelta(hours=3)):
        desk.run()
    assert desk.last.outcome == "done"


def test_a_clock_that_was_right_moves_no_wait(sequenced: Sequenced) -> None:
    desk = sequenced
    desk.sequence(*WAITING)
    begin(desk)
    before = desk.last.due_at
    db.write(lambda session: data.clock_moved_back(session=session, latest=clock.now()))
    assert desk.last.due_at == before


def test_the_clock_moved_forward(sequenced: Sequenced) -> None:
    desk = sequenced
    desk.sequence(*WAITING)
    begin(desk)
    with clock.travel(timedelta(days=30)):
        desk.run()
    assert desk.automatic() == ["One"]
    assert desk.last.outcome == "stopped"


# ---- what stands around a run goes ---------------------------------------------------------------------


def test_a_restored_desk_says_nothing(sequenced: Sequenced) -> None:
    desk = sequenced
    desk.sequence(*WAITING)
    begin(desk)
    desk.said("bo", text="order")
    desk.read()
    while db.write(lambda session: data.leave_to_people(session=session, now=clock.now(), most=1)):
        pass
    with clock.travel(timedelta(hours=3)):
        desk.run()
    assert (desk.automatic(), desk.automatic("bo")) == (["One"], [])
    assert (desk.last.outcome, desk.last.reason) == ("stopped", "restored")
    assert desk.talk().handled_by == Handler.NOBODY


def let_go(desk: Sequenced) -> bool:
    return switching.let_go(desk.desk.generation.directory)


@pytest.mark.usefixtures("_on_again")
def test_who_is_in_one_when_the_feature_is_switched_off_goes_to_the_team(any_sequenced: Sequenced) -> None:
    desk = any_sequenced
    shop = desk.team(desk.desk.mia.id)
    sequence = desk.sequence(*WAITING, team=shop)
    for contact in ("ana", "bo", "cem"):
        desk.said(contact, text="order")
    desk.run()
    change(desk, "bo", assignee_id=desk.desk.mia.id)
    change(desk, "cem", status=ConversationStatus.CLOSED)
    registry.switch_off({"sequences"})
    while let_go(desk):
        pass
    assert (desk.talk().handled_by, desk.talk().team_id) == (Handler.PERSON, shop)
    assert desk.talk().waiting_since is not None
    page = desk.desk.browser.get(desk.desk.path(f"/{desk.scene.conversation('ana')}")).text
    assert "Orders handed this off to the team: Sequences were turned off" in page
    assert "Automation is replying here." not in page
    assert desk.talk("bo").handled_by == Handler.PERSON
    assert (
        "handed this off"
        not in desk.desk.browser.get(desk.desk.path(f"/{desk.scene.conversation('bo')}")).text
    ), "Mia has it already"
    assert desk.talk("cem").status == ConversationStatus.CLOSED, "nothing waits there"
    with db.read() as session:
        assert people.listing(session, sequence, RunFilter(active=True), before=None, limit=9) == []
    assert not let_go(desk), "nothing is left"


@pytest.fixture
def _on_again() -> Iterator[None]:
    yield
    registry.switch_off(())


@pytest.mark.usefixtures("_on_again")
def test_the_feature_is_switched_off_and_on_again(sequenced: Sequenced) -> None:
    desk = sequenced
    desk.sequence(*WAITING)
    begin(desk)
    desk.said("bo", text="order")
    assert not let_go(desk)
    assert desk.last.ended_at is None
    registry.switch_off({"sequences"})
    while let_go(desk):
        pass
    assert (desk.last.outcome, desk.last.reason) == ("stopped", "sequences_off")
    assert desk.talk().handled_by == Handler.PERSON
    desk.read()  # what Bo wrote starts nothing
    registry.switch_off(())
    with clock.travel(timedelta(hours=3)):
        desk.read()
        desk.run()
    assert (desk.automatic(), desk.automatic("bo")) == (["One"], [])


def test_the_account_is_disconnected(sequenced: Sequenced) -> None:
    desk = sequenced
    desk.sequence(*WAITING)
    begin(desk)
    db.write(lambda session: accounts.disconnect_account(session, desk.desk.account.id).id)
    with clock.travel(timedelta(hours=3)):
        desk.run()
    assert desk.automatic() == ["One"]
    assert desk.last.outcome == "stopped"


def test_the_workspace_is_archived(sequenced: Sequenced) -> None:
    desk = sequenced
    desk.sequence(*WAITING)
    begin(desk)
    do(workspaces.archive, desk.desk.workspace)
    with clock.travel(timedelta(hours=3)):
        desk.run()
    assert (desk.automatic(), desk.last.reason) == (["One"], "archived")


def test_the_addon_is_off(sequenced: Sequenced) -> None:
    desk = sequenced
    desk.sequence(*WAITING)
    begin(desk)
    desk.desk.generation.directory = Directory(())
    with clock.travel(timedelta(hours=3)):
        desk.run()
    assert desk.automatic() == ["One"]
    assert desk.last.outcome == "stopped"


def test_the_conversation_is_deleted(sequenced: Sequenced) -> None:
    desk = sequenced
    desk.sequence(*WAITING)
    begin(desk)
    db.write(lambda session: session.execute(sa.delete(SequenceRun)).rowcount)
    with clock.travel(timedelta(hours=3)):
        desk.run()
    assert desk.automatic() == ["One"]


# ---- people --------------------------------------------------------------------------------------------


def test_it_is_closed_during_a_wait(sequenced: Sequenced) -> None:
    desk = sequenced
    desk.sequence(*WAITING)
    begin(desk)
    change(desk, status=ConversationStatus.CLOSED)
    desk.run()
    assert (desk.last.outcome, desk.last.reason) == ("stopped", "closed_by_team")


def test_it_is_closed_and_the_customer_writes_at_once(sequenced: Sequenced) -> None:
    desk = sequenced
    set_release(desk)
    desk.sequence(WHICH, THANKS, END)
    begin(desk)
    change(desk, status=ConversationStatus.CLOSED)
    desk.said(text="Thank you")
    desk.run()
    assert (desk.last.outcome, desk.last.reason) == ("stopped", "closed_by_team")
    assert "Thanks" not in desk.automatic()


def test_it_is_spam(sequenced: Sequenced) -> None:
    desk = sequenced
    desk.sequence(*WAITING)
    begin(desk)
    change(desk, spam=True)
    desk.run()
    assert (desk.last.outcome, desk.last.reason) == ("stopped", "spam")


def test_it_pauses_for_a_person_and_goes_on(sequenced: Sequenced) -> None:
    desk = sequenced
    desk.sequence(WHICH, THANKS, END, person="pause")
    begin(desk)
    desk.scene.reply("ana", "I can help", clock.now())
    desk.run()
    assert (desk.last.waits_for, desk.last.outcome) == (WaitsFor.PERSON, None)
    desk.said(text="Good")
    desk.run()
    assert desk.automatic() == ["Which order?"]
    change(desk, handled_by=Handler.AUTOMATION)
    desk.run()
    assert desk.last.waits_for == WaitsFor.ANSWER
    desk.said(text="12345")
    desk.run()
    assert desk.automatic() == ["Which order?", "Thanks"]
    assert desk.answers() == {"order": "12345"}


def test_a_person_between_the_message_and_the_step(sequenced: Sequenced) -> None:
    desk = sequenced
    desk.sequence(WHICH, THANKS, END)
    begin(desk)
    desk.said(text="12345")
    desk.read()
    desk.scene.reply("ana", "I can help", clock.now())
    desk.run()
    assert desk.automatic() == ["Which order?"]
    assert (desk.last.outcome, desk.last.reason) == ("stopped", "person")


def test_it_waits_for_nobody_of_the_team(sequenced: Sequenced) -> None:
    """Someone who answered, and now waits for the sequence, must not be handed to people as forgotten."""
    desk = sequenced
    desk.sequence(WHICH, *WAITING[1:])
    begin(desk)
    desk.said(text="12345")
    desk.run()
    assert (desk.talk().handled_by, desk.talk().waiting_since) == (Handler.AUTOMATION, None)


def test_stop_in_the_middle_of_a_wait(sequenced: Sequenced) -> None:
    desk = sequenced
    desk.sequence(*WAITING)
    begin(desk)
    desk.said(text="STOP")
    desk.run()
    with clock.travel(timedelta(hours=3)):
        desk.run()
    assert (desk.automatic(), desk.last.reason) == (["One"], "opted_out")


# ---- versions ------------------------------------------------------------------------------------------


def test_a_version_of_another_release(sequenced: Sequenced) -> None:
    desk = sequenced
    desk.sequence(*WAITING)
    begin(desk)
    unknown = {"steps": [{"do": "dance", "id": "one"}]}
    db.write(lambda session: session.execute(sa.update(SequenceVersion).values(body=unknown)).rowcount)
    with clock.travel(timedelta(hours=3)):
        desk.run()
    assert (desk.last.outcome, desk.last.reason) == ("failed", "unreadable")
    assert desk.talk().handled_by == Handler.PERSON


def test_runs_end_on_their_version(sequenced: Sequenced) -> None:
    desk = sequenced
    id_ = desk.sequence(WHICH, THANKS, END)
    begin(desk)
    desk.publish(id_, Say(id="new", text="New"), END)
    begin(desk, "bo")
    desk.said(text="12345")
    desk.run()
    assert desk.automatic() == ["Which order?", "Thanks"]
    assert desk.automatic("bo") == ["New"]
    assert [one.version for one in desk.runs()] == [1, 2]


@pytest.mark.parametrize("ends", [True, False])
def test_it_is_turned_off(sequenced: Sequenced, ends: bool) -> None:
    desk = sequenced
    set_release(desk)
    id_ = desk.sequence(WHICH, THANKS, END)
    begin(desk)
    do(sequences.turn_off, desk.desk.workspace, id_, end_runs=ends)
    desk.said(text="12345")
    desk.said("bo", text="order")
    desk.run()
    assert desk.last.outcome == ("stopped" if ends else "done")
    assert len(desk.runs()) == 1
    assert desk.automatic("bo") == ["Welcome"]


def test_a_message_no_sequence_wants_is_handed_on_once(sequenced: Sequenced) -> None:
    desk = sequenced
    desk.sequence(Say(id="one", text="One"), Wait(id="wait", hours=2, early=False), END)
    begin(desk)
    desk.set(greets=True, greeting="Welcome")
    handed: list[int] = []

    release = Automating.release

    def note(self: Automating, session: Session, event: Any, now: Any) -> None:
        handed.append(event.id)
        release(self, session, event, now)

    with mock.patch.object(Automating, "release", note):
        desk.said(text="Hello?")
        desk.run()
        desk.read(again=True)
        desk.run()
    assert len(handed) == 1


# ---- failures ------------------------------------------------------------------------------------------


def test_a_run_that_fails_keeps_nobody_waiting(sequenced: Sequenced) -> None:
    """Not even if leaving it to people fails, too."""
    desk = sequenced
    desk.sequence(*WAITING)
    for contact in ("ana", "bo"):
        begin(desk, contact)
    first, second = desk.runs()
    go_on = waits.go_on

    def breaking(session: Session, run_id: int, *more: Any) -> None:
        if run_id == first.id:
            raise RuntimeError("broken")
        go_on(session, run_id, *more)

    with (
        mock.patch.object(waits, "go_on", breaking),
        mock.patch.object(waits, "note_failure", side_effect=RuntimeError("broken, too")),
        clock.travel(timedelta(hours=3)),
    ):
        desk.run()
        assert desk.automatic("bo") == ["One", "Two"]
    with clock.travel(timedelta(hours=4)):
        desk.run()
    assert desk.automatic() == ["One", "Two"]
    assert {one.outcome for one in desk.runs()} == {"done"}
    assert second.id != first.id


def test_a_run_that_always_fails_is_left_to_people(sequenced: Sequenced) -> None:
    desk = sequenced
    desk.sequence(*WAITING)
    begin(desk)
    with mock.patch.object(waits, "go_on", side_effect=RuntimeError("broken")):
        for hours in range(3, 10):
            with clock.travel(timedelta(hours=hours)):
                desk.run()
    assert (desk.last.outcome, desk.last.reason) == ("failed", "error")
    assert desk.talk().handled_by == Handler.PERSON


def test_a_step_that_breaks_leaves_nothing(sequenced: Sequenced) -> None:
    desk = sequenced
    desk.sequence(WHICH, THANKS, END)
    begin(desk)
    desk.said(text="12345")
    with mock.patch.object(runner.Walk, "_end", side_effect=RuntimeError("killed")):
        desk.run()
    assert (desk.automatic(), desk.answers()) == (["Which order?"], {})
    with clock.travel(timedelta(seconds=10)):
        desk.run()
    assert desk.automatic() == ["Which order?", "Thanks"]
    assert desk.visits() == [("which", "then"), ("thanks", "then"), ("end", None)]


def test_working_hours_that_never_come(sequenced: Sequenced) -> None:
    """Nobody stays in a sequence for good: a message goes on."""
    desk = sequenced
    desk.sequence(Wait(id="wait", until="working", early=False), END)
    with shut(None):
        begin(desk)
        assert desk.last.due_at is None
        desk.said(text="Hello?")
        desk.run()
    assert desk.last.outcome == "done"


# ---- how long runs are kept ----------------------------------------------------------------------------


def test_old_runs_are_removed(sequenced: Sequenced) -> None:
    desk = sequenced
    desk.sequence(WHICH, END)
    for contact in ("ana", "bo"):
        begin(desk, contact)
    desk.said(text="12345")
    desk.run()
    data.clean_up(most=1)
    assert len(desk.runs()) == 2
    with clock.travel(timedelta(days=401)):
        data.clean_up(most=1)
    assert [one.outcome for one in desk.runs()] == [None]
    assert desk.answers() == {}
