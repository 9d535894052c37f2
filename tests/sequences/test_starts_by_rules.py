"""Sequences that rules start."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from host.automation.actions import AddLabel
from host.core import clock, db
from host.features import registry
from host.models.users import Role
from host.rules import rules
from host.rules.body import RuleError, StartSequence
from host.sequences import sequences
from host.sequences.body import Act, Ask, End, Say, Starts
from host.sequences.models import SequenceRun, SequenceState
from tests import helpers
from tests.helpers import do
from tests.inbox import toys
from tests.rules.ruled import add_rule, ran
from tests.rules.test_rules_page import form, path, shown, text
from tests.sequences.sequenced import Sequenced

ASK = Ask(id="size", text="Which size?", variable="size")
END = End(id="end")
BY_RULES = Starts(programs=True)
WHOLESALE = [{"if": "words", "words": ["wholesale"]}]


@pytest.fixture(autouse=True)
def _on_again() -> Iterator[None]:
    yield
    registry.switch_off(())


def rule(desk: Sequenced, sequence: int, **more: Any) -> int:
    more.setdefault("conditions", WHOLESALE)
    return add_rule(desk, {"do": "sequence", "sequence": sequence}, **more)


def change(desk: Sequenced, sequence: int, state: SequenceState) -> None:
    def use_case(session: Any) -> None:
        sequences.get(session, desk.desk.workspace, sequence).state = state

    db.write(use_case)


def refused(desk: Sequenced, id_: int) -> str:
    """Have a customer write what the rule waits for, and return why the rule did nothing."""
    desk.said(text="wholesale?")
    desk.run()
    ((_kind, why),) = ran(id_)[-1].done
    return why


def test_a_rule_starts_a_sequence(any_sequenced: Sequenced) -> None:
    desk = any_sequenced
    sequence = desk.sequence(ASK, Say(id="thanks", text="Thanks."), END, starts=BY_RULES)
    id_ = rule(desk, sequence)
    desk.said(text="wholesale?")
    desk.run()
    assert ran(id_)[-1].done == [("sequence", "")]
    assert (desk.last.started_by, desk.last.step) == ("rule", "size")
    assert desk.automatic() == ["Which size?"]
    assert desk.last.cause_id > 0, "the event that the rule answers"
    desk.said(text="XL")
    desk.run()
    assert desk.answers() == {"size": "XL"}
    assert (desk.last.outcome, len(desk.runs())) == ("done", 1)
    assert desk.automatic() == ["Which size?", "Thanks."]


def test_it_is_refused_with_a_reason(sequenced: Sequenced) -> None:
    desk = sequenced
    sequence = desk.sequence(ASK, END, starts=BY_RULES)
    id_ = rule(desk, sequence)
    change(desk, sequence, SequenceState.OFF)
    assert refused(desk, id_) == "sequence_off"
    change(desk, sequence, SequenceState.LIVE)
    assert refused(desk, id_) == ""
    assert len(desk.runs()) == 1


def test_a_sequence_has_to_allow_rules(sequenced: Sequenced) -> None:
    desk = sequenced
    id_ = rule(desk, desk.sequence(ASK, END))
    assert refused(desk, id_) == "sequence_closed"
    assert desk.runs() == []


def test_a_contact_in_a_sequence_starts_no_other(sequenced: Sequenced) -> None:
    desk = sequenced
    desk.sequence(ASK, END)
    other = desk.sequence(ASK, END, starts=BY_RULES, name="Other")
    id_ = add_rule(
        desk,
        {"do": "sequence", "sequence": other},
        {"do": "sequence", "sequence": other},
        conditions=WHOLESALE,
    )
    desk.said(text="wholesale?")
    desk.run()
    assert ran(id_)[-1].done == [("sequence", ""), ("sequence", "in_sequence")]
    assert len(desk.runs()) == 1


def test_nothing_starts_after_stop(sequenced: Sequenced) -> None:
    desk = sequenced
    id_ = rule(desk, desk.sequence(ASK, END, starts=BY_RULES))
    desk.said(text="STOP")
    desk.run()
    assert refused(desk, id_) == "opted_out"
    assert desk.runs() == []


def test_nothing_starts_for_a_deleted_sequence(sequenced: Sequenced) -> None:
    desk = sequenced
    sequence = desk.sequence(ASK, END, starts=BY_RULES, publish=False)
    id_ = rule(desk, sequence)
    do(sequences.delete, desk.desk.workspace, sequence)
    assert refused(desk, id_) == "sequence_gone"
    with db.read() as session:
        there = rules.there(session, desk.desk.workspace, desk.desk.generation.directory)
        assert rules.shown(session, desk.desk.workspace, id_, there).gone == "actions.0"
    with pytest.raises(RuleError, match="deleted"):
        rule(desk, sequence)


def test_nothing_starts_while_sequences_are_off(sequenced: Sequenced) -> None:
    desk = sequenced
    id_ = rule(desk, desk.sequence(ASK, END, starts=BY_RULES))
    registry.switch_off(("sequences",))
    assert refused(desk, id_) == "sequences_off"
    assert desk.runs() == []


def test_rules_start_nothing_because_of_a_sequence(sequenced: Sequenced) -> None:
    desk = sequenced
    label = desk.label("wholesale")
    sequence = desk.sequence(Act(id="mark", action=AddLabel(label)), ASK, END, starts=BY_RULES)
    id_ = rule(desk, sequence)
    again = rule(desk, sequence, when="conversation.labelled", conditions=())
    for round_ in (1, 2):
        desk.said(text="wholesale?")
        desk.run()
        assert len(desk.runs()) == round_
        desk.said(text="XL")
        desk.run()
        assert desk.last.outcome == "done"
    assert [one.outcome for one in ran(id_)] == ["did", "did"]
    assert ran(again) == []


def test_it_does_not_start_over_a_person(sequenced: Sequenced) -> None:
    desk = sequenced
    id_ = rule(desk, desk.sequence(ASK, END, starts=BY_RULES))
    desk.said(text="wholesale?")
    desk.run_after_a_person_answered("ana")
    assert ran(id_)[-1].done == [("sequence", "person")]
    assert desk.runs() == []


def test_a_closed_conversation_starts_none(sequenced: Sequenced) -> None:
    desk = sequenced
    id_ = rule(desk, desk.sequence(ASK, END, starts=BY_RULES), when="conversation.closed", conditions=())
    desk.said()
    desk.scene.close("ana", desk.desk.mia.id, clock.now())
    desk.run()
    assert ran(id_)[-1].done == [("sequence", "closed_by_team")]
    assert desk.runs() == []


def test_a_rule_in_shadow_mode_starts_nothing(sequenced: Sequenced) -> None:
    desk = sequenced
    id_ = rule(desk, desk.sequence(ASK, END, starts=BY_RULES), state=rules.RuleState.SHADOW)
    desk.said(text="wholesale?")
    desk.run()
    assert ran(id_)[-1].outcome == "shadow"
    assert desk.runs() == []


def test_the_form_offers_what_rules_may_start(sequenced: Sequenced) -> None:
    desk = sequenced
    offered = desk.sequence(ASK, END, starts=BY_RULES, name="Sizes")
    chosen = desk.sequence(ASK, END, starts=BY_RULES, name="Colours")
    desk.sequence(ASK, END, name="By words")
    desk.sequence(ASK, END, starts=BY_RULES, name="Draft", publish=False)
    id_ = rule(desk, chosen)
    change(desk, chosen, SequenceState.OFF)
    person = helpers.make_user(name="Olu O.", workspace=desk.desk.workspace, role=Role.OWNER)
    browser = helpers.client_for(desk.desk.app, person)
    page = text(browser.get(path(desk, id_)))
    assert re.findall(r'<option value="sequence:(\d+)"( selected)?', page) == [
        (str(offered), ""),
        (str(chosen), " selected"),
    ]
    assert shown(page, "then") == ["Start the sequence Colours"]
    changed = form(then=[(f"sequence:{offered}", "")], version="1")
    assert browser.post_form(path(desk, id_), **changed).status_code == 303
    with db.read() as session:
        there = rules.there(session, desk.desk.workspace, desk.desk.generation.directory)
        body = rules.shown(session, desk.desk.workspace, id_, there).body
    assert body is not None
    assert body.actions == (StartSequence(offered),)


def test_numbers_and_people_say_what_started_it(sequenced: Sequenced) -> None:
    desk = sequenced
    sequence = desk.sequence(ASK, END, starts=BY_RULES)
    rule(desk, sequence)
    desk.said(text="wholesale?")
    desk.said("bo", text="wholesale?")
    desk.run()
    toys.change_row(SequenceRun, desk.last.id, started_by="campaign")
    person = helpers.make_user(name="Olu O.", workspace=desk.desk.workspace, role=Role.OWNER)
    owner = helpers.client_for(desk.desk.app, person)
    pages = f"/w/{desk.desk.workspace}/sequences/{sequence}"
    numbers = text(owner.get(f"{pages}/numbers"))
    for by, words in (("rule", "a rule"), ("campaign", "a campaign")):
        assert words in numbers
        assert f"started_by={by}" in numbers
        people = text(owner.get(f"{pages}/people?started_by={by}&state=all"))
        assert f"started by {words}" in people
        assert people.count('<th scope="row">') == 1
