"""Cases are judged by words, tried one by one, and gone with the conversation they came from."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.assistants.knowledge import cases
from host.assistants.knowledge.cases import CaseError, CaseInput, CaseNotFoundError
from host.assistants.models import Assistant, AssistantCase
from host.assistants.values import ModelAnswer, ModelError
from host.core import clock, db
from host.models.inbox import Message
from host.sdk.channel import AccountRef
from host.users.actor import DESK, UnitOfWork
from tests import helpers
from tests.assistants import making
from tests.helpers import do
from tests.inbox import toys


@pytest.fixture
def workspace(database: db.Database) -> int:
    return helpers.make_workspace("Sample Pottery")


@pytest.fixture
def account(workspace: int) -> AccountRef:
    return toys.make_account(workspace)


@pytest.fixture
def assistant(workspace: int) -> int:
    return making.assistant(workspace, version=3)


def add(workspace: int, assistant: int, question: str, *says: str, **given: Any) -> int:
    wanted = CaseInput(question, says=says, **given)
    return do(cases.add, workspace, assistant, wanted).id


def rows() -> list[AssistantCase]:
    return toys.everything(AssistantCase)


@pytest.mark.parametrize(
    ("wanted", "answer", "hands_over", "passed"),
    [
        (CaseInput("?", says=["14 €"]), "Ja, das kostet 14\n €.", False, True),
        (CaseInput("?", says=["STRASSE", "uber"]), "Über die Straße", False, True),
        (CaseInput("?", says=["Ñandú"]), "un nandu", False, True),
        (CaseInput("?", says=["१४"]), "14 days", False, True),
        (CaseInput("?", says=["14", "free"]), "It costs 14", False, False),
        (CaseInput("?", says=["14"], never_says=["free"]), "14, FREE from 120", False, False),
        (CaseInput("?", never_says=["free"]), "It costs 14", False, True),
        (CaseInput("?", never_says=["free"]), "", False, False),
        (CaseInput("?", says=["14"]), "14", True, False),
        (CaseInput("?", hands_over=True), "14", False, False),
        (CaseInput("?", hands_over=True), "", True, True),
    ],
)
def test_an_answer_is_judged_by_its_words(
    wanted: CaseInput, answer: str, hands_over: bool, passed: bool
) -> None:
    assert cases.judge(wanted, ModelAnswer(answer=answer), hands_over) is passed


def test_a_case_is_added_changed_and_deleted(workspace: int, assistant: int) -> None:
    id_ = add(workspace, assistant, " To Norway? ", "14 €", " ", "14 €")
    (row,) = rows()
    assert (row.question, row.says, row.never_says, row.passed) == ("To Norway?", ["14 €"], [], None)
    do(cases.change, workspace, assistant, id_, CaseInput("Oslo?", True, ["x"]))
    (row,) = rows()
    assert (row.question, row.hands_over, row.says) == ("Oslo?", True, [])
    with pytest.raises(CaseNotFoundError):
        do(cases.delete, workspace + 1, assistant, id_)
    assert do(cases.delete, workspace, assistant, id_) == "Oslo?"
    assert rows() == []


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        (CaseInput("", says=["x"]), "question"),
        (CaseInput("x" * 4001, says=["x"]), "question"),
        (CaseInput("Oslo?"), "says"),
        (CaseInput("Oslo?", says=["x" * 101]), "says"),
        (CaseInput("Oslo?", never_says=[str(n) for n in range(21)]), "never_says"),
    ],
)
def test_what_is_no_case_is_refused(workspace: int, assistant: int, wanted: CaseInput, field: str) -> None:
    with pytest.raises(CaseError) as error:
        cases.checked(wanted)
    assert error.value.field == field


def test_a_case_of_a_turn_is_gone_with_its_conversation(
    workspace: int, account: AccountRef, assistant: int
) -> None:
    toys.apply(account, toys.received("Do you sell candles?"), toys.received("And lamps?", at=1))
    message = toys.thread()[-1]
    turn = making.turn(assistant, message.id, messages=2)

    def make(session: Session, accounts: frozenset[int] | None) -> int:
        work = UnitOfWork(session, workspace, DESK, clock.now(), accounts)
        return cases.from_turn(work, assistant, turn).id

    with pytest.raises(CaseNotFoundError):
        db.write(make, frozenset())
    db.write(make, None)
    (row,) = rows()
    assert (row.question, row.hands_over) == ("Do you sell candles?\nAnd lamps?", True)
    add(workspace, assistant, "By hand?", "yes")
    assert db.write(lambda session: cases.forget(session, [message.conversation_id])) == 1
    assert [one.question for one in rows()] == ["By hand?"]
    toys.change_row(Message, message.id, text="", unsent_at=clock.now())
    db.write(make, None)
    assert rows()[-1].question == "Do you sell candles?"


def test_all_are_tried_and_what_came_of_it_is_noted(workspace: int, assistant: int) -> None:
    norway = add(workspace, assistant, "To Norway?", "14 €")
    candles = add(workspace, assistant, "Candles?", hands_over=True)
    broken = add(workspace, assistant, "Broken?", "new one")
    gone = add(workspace, assistant, "Deleted?", "yes")

    def answer(question: str) -> tuple[str, bool]:
        db.write(lambda session: session.execute(sa.select(1)))  # no write is open
        if question == "Broken?":
            raise ModelError("model_timeout")
        if question == "Deleted?":
            do(cases.delete, workspace, assistant, gone)
        return ("It costs 14 €.", False)

    found = {one.id: one for one in cases.try_all(workspace, assistant, 3, answer)}
    assert {id_: one.passed for id_, one in found.items()} == {norway: True, candles: False, broken: None}
    assert found[broken].problem == "model_timeout"
    kept = {row.id: (row.tried_version, row.passed, row.answer) for row in rows()}
    assert kept == {
        norway: (3, True, "It costs 14 €."),
        candles: (3, False, "It costs 14 €."),
        broken: (None, None, ""),
    }
    with db.read() as session:
        of = session.get_one(Assistant, assistant)
        assert [row.id for row in cases.due(session, of)] == [candles, broken]
        assert [row.id for row in cases.listing(session, assistant)] == [candles, broken, norway]
    assert [one.id for one in cases.try_all(workspace, assistant, 4, answer, only=[norway])] == [norway]
    with db.read() as session:
        assert norway in [row.id for row in cases.due(session, session.get_one(Assistant, assistant))]


def test_the_most_is_kept_to(workspace: int, assistant: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cases, "MOST", 1)
    add(workspace, assistant, "One?", "x")
    with pytest.raises(CaseError):
        add(workspace, assistant, "Two?", "x")
