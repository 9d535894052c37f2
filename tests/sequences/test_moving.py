"""Customers of an earlier version move to the live one, each to the step that its owner chooses."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from host.models.users import AuditEntry, Role
from host.sequences import moves, sequences
from host.sequences.body import Ask, End, Hand, Say, SequenceError, Wait
from tests import helpers
from tests.helpers import do
from tests.inbox import toys
from tests.sequences.sequenced import Sequenced
from tests.sequences.test_pages import path

SIZE = Ask(id="size", text="Which size?", variable="size")
BYE = Say(id="bye", text='Bye {{answer.size || "you"}}')
END = End(id="end")
THANKS = Say(id="bye", text="Thanks")
OLD = (SIZE, BYE, END)
COLOUR = Ask(id="colour", text="Which colour?", variable="colour")


def move(desk: Sequenced, id_: int, steps: Mapping[str, str], version: int = 1) -> int:
    return do(moves.move, desk.desk.workspace, id_, version, steps=steps)


def begun(desk: Sequenced) -> int:
    id_ = desk.sequence(*OLD)
    desk.said(text="order")
    desk.run()
    return id_


def test_one_who_keeps_waiting_gets_nothing_and_goes_on_in_the_new_version(any_sequenced: Sequenced) -> None:
    desk = any_sequenced
    id_ = begun(desk)
    desk.publish(id_, SIZE, Say(id="bye", text="Goodbye"), END)
    assert move(desk, id_, {"size": moves.KEEP}) == 1
    desk.run()
    assert desk.automatic() == ["Which size?"]
    desk.said(text="M")
    desk.run()
    assert (desk.automatic()[1:], desk.last.version, desk.last.outcome) == (["Goodbye"], 2, "done")
    assert [one.action for one in toys.everything(AuditEntry)].count("sequence.people") == 1


def test_another_step_is_entered_once_and_answers_are_kept(any_sequenced: Sequenced) -> None:
    desk = any_sequenced
    id_ = begun(desk)
    desk.publish(id_, COLOUR, THANKS, END)
    assert move(desk, id_, {"size": "colour"}) == 1
    assert move(desk, id_, {"size": "colour"}) == 0, "they are gone from there"
    desk.run()
    desk.run()
    assert desk.automatic() == ["Which size?", "Which colour?"]
    assert desk.visits() == [("size", "moved"), ("colour", None)]
    desk.said(text="Blue")
    desk.run()
    assert (desk.answers(), desk.last.outcome) == ({"colour": "Blue"}, "done")


def test_a_message_before_a_worker_came_by_is_no_answer_to_the_new_question(sequenced: Sequenced) -> None:
    desk = sequenced
    id_ = begun(desk)
    desk.publish(id_, COLOUR, THANKS, END)
    move(desk, id_, {"size": "colour"})
    desk.said(text="M")
    desk.run()
    assert (desk.automatic()[1:], desk.answers()) == (["Which colour?"], {})


def test_a_person_can_be_asked_for_before_a_worker_came_by(sequenced: Sequenced) -> None:
    desk = sequenced
    id_ = begun(desk)
    desk.publish(id_, COLOUR, THANKS, END)
    move(desk, id_, {"size": "colour"})
    desk.said(text="Talk to a person")
    desk.run()
    assert (desk.automatic(), desk.last.outcome, desk.last.reason) == (["Which size?"], "people", "asked")


def test_those_at_other_steps_stay(sequenced: Sequenced) -> None:
    desk = sequenced
    id_ = begun(desk)
    desk.publish(id_, COLOUR, THANKS, END)
    assert move(desk, id_, {}) == 0
    desk.said(text="M")
    desk.run()
    assert (desk.automatic()[1:], desk.last.version) == (["Bye M"], 1)


def test_nothing_is_sent_outside_the_window_or_after_a_person(sequenced: Sequenced) -> None:
    desk = sequenced
    id_ = begun(desk)
    desk.publish(id_, COLOUR, THANKS, END)
    move(desk, id_, {"size": "colour"})
    desk.run_after_a_person_answered("ana")
    desk.run()
    assert (desk.automatic(), desk.last.outcome) == (["Which size?"], "stopped")


@pytest.mark.parametrize("steps", [{"size": "gone"}, {"bye": moves.KEEP, "size": "="}])
def test_a_step_that_is_not_there_is_refused_and_nobody_moves(
    sequenced: Sequenced, steps: Mapping[str, str]
) -> None:
    desk = sequenced
    id_ = begun(desk)
    desk.publish(id_, Wait(id="size", minutes=5), THANKS, END)
    with pytest.raises(SequenceError) as found:
        move(desk, id_, steps)
    assert found.value.field == "size"
    assert desk.last.version == 1


def test_without_a_live_version_there_is_nowhere_to_move(sequenced: Sequenced) -> None:
    desk = sequenced
    id_ = begun(desk)
    for version in (1, 2):
        with pytest.raises((moves.NotLiveError, sequences.SequenceNotFoundError)):
            move(desk, id_, {"size": moves.KEEP}, version=version)


def test_the_page_lists_where_they_are_and_moves_them(sequenced: Sequenced) -> None:
    desk = sequenced
    id_ = begun(desk)
    desk.publish(id_, SIZE, COLOUR, Hand(id="people"))
    owner = helpers.client_for(
        desk.desk.app, helpers.make_user(name="Olu O.", workspace=desk.desk.workspace, role=Role.OWNER)
    )
    versions = owner.get(path(desk, f"{id_}/versions")).text
    assert "1 customer is in it" in versions
    page = owner.get(path(desk, f"{id_}/versions/1/people")).text
    assert "Ask: Which size?" in page
    assert "Keep waiting here, in version 2" in page
    answer = owner.post_form(path(desk, f"{id_}/versions/1/people"), **{"to:size": "colour"})
    assert answer.status_code == 302
    desk.run()
    assert desk.automatic()[1:] == ["Which colour?"]
