"""Assistants are kept, and do no more on an account than they earned."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from host.assistants import assistants
from host.assistants.assistants import (
    AccountNotThereError,
    AssistantError,
    AssistantNotFoundError,
    NotEarnedError,
    OtherNameError,
)
from host.assistants.models import (
    Assistant,
    AssistantAccount,
    AssistantTurn,
    AssistantVersion,
    Mode,
    TurnOutcome,
    TurnState,
)
from host.assistants.values import Body, Cap, Limits
from host.automation.deciding import Sent
from host.channels.accounts import disconnect_account
from host.core import clock, db
from host.events.models import ActorKind
from host.inbox import conversation_actions
from host.models.inbox import Handler
from host.users.actor import Actor, UnitOfWork
from host.users.workspaces import SavedMeanwhileError
from tests import helpers
from tests.assistants.turns import ANN, OLU, Turns, assistant, made, model, put, turn
from tests.automation.automated import Automated
from tests.helpers import do
from tests.inbox import toys


def places(desk: Automated) -> dict[int, assistants.AccountMode]:
    with db.read() as session:
        return assistants.places(session, desk.desk.workspace)


def save(desk: Automated, id_: int, body: Body, version: int | None = None) -> Assistant:
    bo = Actor(ActorKind.SYSTEM, person="Bo")
    return do(assistants.save_version, desk.desk.workspace, id_, body=body, version=version, actor=bo)


def stopped(desk: Automated, id_: int, **by: Any) -> int:
    def stop(work: UnitOfWork) -> int:
        return assistants.stop(work, assistants.get(work.session, work.workspace_id, id_, lock=True))

    return do(stop, desk.desk.workspace, **by)


def automatic(desk: Automated, contact: str) -> int:
    """Have somebody write, and automation handle that; return the conversation."""
    desk.said(contact, f"Hello of {contact}?")
    id_ = desk.scene.conversation(contact)

    def answer(work: UnitOfWork) -> None:
        row = conversation_actions.locked_conversation(work, id_)
        conversation_actions.handle(work, row, Handler.AUTOMATION, because="answered")

    do(answer, desk.desk.workspace)
    return id_


# ---- the assistants of a workspace ---------------------------------------------------------------------


def test_an_assistant_is_made_renamed_and_deleted_with_all_it_has(any_desk: Automated) -> None:
    desk = any_desk
    desk.said()
    one = made(desk, "  Shop \x00 desk ")
    put(desk, one)
    Turns(desk, one).add()
    with db.read() as session:
        (shown,) = assistants.listing(session, desk.desk.workspace)
    assert (shown.name, shown.version, shown.stopped_at, shown.model_id) == ("Shop desk", 1, None, None)
    assert [(one.mode, one.account_id) for one in shown.places] == [(Mode.SUGGEST, desk.desk.account.id)]
    assert do(assistants.rename, desk.desk.workspace, one, name="Mail desk").name == "Mail desk"
    assert do(assistants.delete, desk.desk.workspace, one) == "Mail desk"
    with db.read() as session:
        for table in (Assistant, AssistantVersion, AssistantAccount, AssistantTurn):
            assert session.scalar(sa.select(sa.func.count()).select_from(table)) == 0, table
    with pytest.raises(AssistantNotFoundError):
        do(assistants.delete, desk.desk.workspace, one)


def test_names_and_how_many_there_are_have_bounds(automated: Automated) -> None:
    for name in ("", "  ", "\u202e", "x" * 41):
        with pytest.raises(AssistantError) as refused:
            made(automated, name)
        assert refused.value.field == "name"
    for number in range(assistants.MOST):
        made(automated, f"Number {number}")
    with pytest.raises(AssistantError):
        made(automated)


def test_an_assistant_of_another_workspace_is_none(automated: Automated) -> None:
    elsewhere, one = helpers.make_workspace("Books"), made(automated)
    with db.read() as session:
        with pytest.raises(AssistantNotFoundError):
            assistants.get(session, elsewhere, one)
        assert assistants.listing(session, elsewhere) == []
    with pytest.raises(AssistantNotFoundError):
        put(automated, one, workspace=elsewhere)


def test_a_model_is_one_of_the_workspace(automated: Automated) -> None:
    one, ours = made(automated), model(automated)
    theirs = model(automated, name="theirs", workspace_id=helpers.make_workspace("Books"))

    def choose(id_: int | None) -> None:
        do(assistants.change, automated.desk.workspace, one, model_id=id_)

    choose(ours)
    assert assistant(one).model_id == ours
    for wrong in (theirs, 0):
        with pytest.raises(AssistantError) as refused:
            choose(wrong)
        assert refused.value.field == "model"
    choose(None)
    assert assistant(one).model_id is None


# ---- what it says --------------------------------------------------------------------------------------


def test_what_it_says_is_kept_in_versions_that_never_change(any_desk: Automated) -> None:
    one = made(any_desk)
    first = Body(prompt=" Warm.\r\nShort. ", phrases=(" You are\n welcome ", " "))
    assert save(any_desk, one, first, version=1).version == 2
    assert save(any_desk, one, first, version=2).version == 2, "the same once more is no version"
    save(any_desk, one, Body(prompt="Cold."))
    with db.read() as session:
        row = assistants.get(session, any_desk.desk.workspace, one)
        assert [item.number for item in assistants.versions(session, one)] == [3, 2, 1]
        assert assistants.body_of(session, row) == Body(prompt="Cold.")
        old = assistants.body_of(session, row, 2)
        assert old is not None
        assert (old.prompt, old.phrases) == ("Warm.\nShort.", ("You are welcome",))
        assert assistants.body_of(session, row, 9) is None


def test_who_saves_over_somebody_is_told(automated: Automated) -> None:
    one = made(automated)
    save(automated, one, Body(prompt="Warm."), version=1)
    with pytest.raises(SavedMeanwhileError):
        save(automated, one, Body(prompt="Cold."), version=1)
    assert assistant(one).version == 2


def test_what_a_newer_release_wrote_is_nothing_here(automated: Automated) -> None:
    one = made(automated)

    def use_case(session: Session) -> None:
        row = session.get_one(AssistantVersion, (one, 1))
        row.body = {**row.body, "mood": "sunny"}

    db.write(use_case)
    with db.read() as session:
        assert assistants.body_of(session, assistant(one)) is None


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("prompt", {"prompt": "x" * 4_001}),
        ("announcement", {"announcement": "x" * 201}),
        ("phrases", {"phrases": ("x",) * 31}),
        ("phrases", {"phrases": ("x" * 201,)}),
        ("pause", {"pause": 0}),
        ("pause", {"pause": 31}),
        ("conversation.turns", {"limits": Limits(conversation=Cap(turns=-1))}),
        ("day.tokens", {"limits": Limits(day=Cap(tokens=10**15 + 1))}),
        ("month.money", {"limits": Limits(month=Cap(money=-1))}),
        ("seconds", {"limits": Limits(seconds=4)}),
        ("seconds", {"limits": Limits(seconds=61)}),
        ("calls", {"limits": Limits(calls=11)}),
        ("calls", {"limits": Limits(calls=-1)}),
    ],
)
def test_a_part_out_of_its_bounds_is_named(field: str, changes: dict[str, Any]) -> None:
    with pytest.raises(AssistantError) as refused:
        assistants.checked(Body(**changes))
    assert refused.value.field == field


@given(
    prompt=st.text(max_size=4_000),
    announcement=st.text(max_size=200),
    phrases=st.lists(st.text(max_size=200), max_size=30).map(tuple),
    pause=st.sampled_from(assistants.PAUSES),
    seconds=st.sampled_from(assistants.SECONDS),
    calls=st.sampled_from(assistants.CALLS),
    money=st.integers(0, assistants.LARGEST),
)
def test_what_is_in_its_bounds_is_kept_as_it_is_read(seconds: int, calls: int, money: int, **v: Any) -> None:
    kept = assistants.checked(Body(**v, limits=Limits(month=Cap(money=money), seconds=seconds, calls=calls)))
    assert assistants.checked(kept) == kept
    assert assistants.read(msgspec.json.decode(msgspec.json.encode(assistants.plain(kept)))) == kept
    assert "\x00" not in kept.prompt + kept.announcement + "".join(kept.phrases)


# ---- what it does where --------------------------------------------------------------------------------


def test_an_assistant_suggests_at_once_and_answers_only_once_it_earned_that(any_desk: Automated) -> None:
    desk = any_desk
    desk.said()
    one = made(desk)
    turns, account = Turns(desk, one), desk.desk.account.id
    placed = put(desk, one)
    assert (placed.before, placed.mode, placed.changed, placed.opened) == (
        Mode.OFF,
        Mode.SUGGEST,
        True,
        False,
    )
    for _number in range(8):
        turns.add(outcome=TurnOutcome.TAKEN)
    turns.add(TurnState.READY, right=True)  # nobody took it, and it is right
    for state, outcome, right in (
        (TurnState.SENT, TurnOutcome.EDITED, None),
        (TurnState.DISMISSED, TurnOutcome.DISMISSED, None),
        (TurnState.DISCARDED, TurnOutcome.WRITTEN, False),
        (TurnState.HANDED_OVER, None, True),
        (TurnState.FAILED, None, True),
    ):
        turns.add(state, outcome=outcome, right=right)
    turns.add(outcome=TurnOutcome.TAKEN, assistant_id=made(desk, "Another"))
    with db.read() as session:
        assert assistants.earned(session, one, [account, 0]) == {account: 9}
    with pytest.raises(NotEarnedError):
        put(desk, one, Mode.ANSWER)
    assert places(desk)[account].mode == Mode.SUGGEST
    turns.add(outcome=TurnOutcome.TAKEN, right=True)  # counts once
    with db.read() as session:
        assert assistants.earned(session, one, [account]) == {account: 10}
    placed = put(desk, one, Mode.ANSWER)
    assert (placed.mode, placed.opened) == (Mode.ANSWER, False)
    assert places(desk)[account].opened_by == ""
    with pytest.raises(AssistantError):
        put(desk, one, Mode.ANSWER, needed=9)
    put(desk, one, Mode.ANSWER, needed=50, answers_on=[Sent.TAP])  # it answers already
    assert places(desk)[account].answers_on == {Sent.TAP}


@pytest.mark.parametrize("typed", ["@sample.pottery", "SAMPLE.pottery ", "Shop", " shop"])
def test_who_types_the_name_of_the_account_opens_it(automated: Automated, typed: str) -> None:
    one, account = made(automated), automated.desk.account.id
    put(automated, one)
    placed = put(automated, one, Mode.ANSWER, typed_name=typed, actor=OLU)
    assert placed.opened
    assert places(automated)[account].opened_by == "Olu O."
    put(automated, one, Mode.ANSWER, answers_on=[Sent.TAP])
    assert places(automated)[account].opened_by == "Olu O.", "changing what it takes keeps who opened it"
    put(automated, one)
    assert places(automated)[account].opened_by == ""
    with pytest.raises(NotEarnedError):
        put(automated, one, Mode.ANSWER)


def unlock(desk: Automated, id_: int, typed: str) -> str:
    place = desk.desk.workspace, id_, desk.desk.account.id
    return do(assistants.unlock, *place, typed_name=typed, actor=OLU)


def test_unlocking_starts_nothing_until_it_is_set_to_answer(automated: Automated) -> None:
    one, account = made(automated), automated.desk.account.id
    with pytest.raises(AccountNotThereError):
        unlock(automated, one, "shop")
    put(automated, one)
    with pytest.raises(OtherNameError):
        unlock(automated, one, "pottery")
    unlock(automated, one, "shop")
    unlock(automated, one, "shop")
    there = places(automated)[account]
    assert (there.mode, there.opened_by) == (Mode.SUGGEST, "Olu O.")
    put(automated, one, answers_on=[Sent.TAP])
    put(automated, one, Mode.SHADOW)
    assert places(automated)[account].opened_by == "Olu O.", "it stays unlocked until it is off"
    placed = put(automated, one, Mode.ANSWER, actor=ANN)
    assert (placed.mode, placed.opened) == (Mode.ANSWER, False)
    assert places(automated)[account].opened_by == "Olu O."
    put(automated, one)
    with pytest.raises(NotEarnedError):
        put(automated, one, Mode.ANSWER)


@pytest.mark.parametrize("typed", ["", " ", "@", "sample", "pottery"])
def test_another_name_opens_nothing(automated: Automated, typed: str) -> None:
    one = made(automated)
    put(automated, one)
    with pytest.raises(OtherNameError) as refused:
        put(automated, one, Mode.ANSWER, typed_name=typed)
    assert refused.value.field == "typed_name"
    assert places(automated)[automated.desk.account.id].mode == Mode.SUGGEST


def test_an_account_has_one_assistant_and_taking_it_says_so(automated: Automated) -> None:
    desk = automated
    desk.said()
    one, two = made(desk, "Shop desk"), made(desk, "Mail desk")
    put(desk, one)
    waits = Turns(desk, one).add(TurnState.READY)
    assert not put(desk, two, Mode.OFF).changed
    assert places(desk)[desk.desk.account.id].assistant_id == one
    placed = put(desk, two)
    assert (placed.taken_from, placed.before) == ("Shop desk", Mode.OFF)
    assert places(desk)[desk.desk.account.id].assistant_id == two
    assert (turn(waits).state, turn(waits).reason) == (TurnState.DISCARDED, "mode")
    put(desk, two, Mode.OFF)
    assert put(desk, one).taken_from == "", "it was off there"


def test_what_another_assistant_earned_is_not_its_own(automated: Automated) -> None:
    desk = automated
    desk.said()
    one, two = made(desk, "Shop desk"), made(desk, "Mail desk")
    turns = Turns(desk, one)
    for _number in range(10):
        turns.add(outcome=TurnOutcome.TAKEN)
    put(desk, one, Mode.ANSWER)
    with pytest.raises(NotEarnedError):
        put(desk, two, Mode.ANSWER)


def test_a_disconnected_account_has_no_assistant(automated: Automated) -> None:
    one, account = made(automated), automated.desk.account.id
    put(automated, one)
    db.write(disconnect_account, account)
    for mode in Mode:
        with pytest.raises(AccountNotThereError):
            put(automated, one, mode)
    assert places(automated) == {}
    with pytest.raises(AccountNotThereError):
        put(automated, one, account_id=0)
    theirs = toys.make_account(helpers.make_workspace("Books"), external_id="books")
    with pytest.raises(AccountNotThereError):
        put(automated, one, account_id=theirs.id)


def test_what_it_takes_is_never_nothing(automated: Automated) -> None:
    one = made(automated)
    put(automated, one, answers_on=[Sent.NOTHING])
    assert places(automated)[automated.desk.account.id].answers_on == {
        Sent.MESSAGE,
        Sent.STORY_REPLY,
        Sent.TAP,
    }


# ---- stopping ------------------------------------------------------------------------------------------


def test_people_get_conversations_of_accounts_that_whoever_stops_it_does_not_see(
    automated: Automated,
) -> None:
    automatic(automated, "ana")
    one = made(automated)
    put(automated, one, Mode.ANSWER, typed_name="Shop")
    assert stopped(automated, one, sees=frozenset()) == 1
    assert automated.talk("ana").handled_by == Handler.PERSON


def test_a_stopped_assistant_leaves_nothing_under_way_and_people_get_its_conversations(
    any_desk: Automated,
) -> None:
    desk = any_desk
    ana = automatic(desk, "ana")
    desk.said("bob")
    one = made(desk)
    put(desk, one, Mode.ANSWER, typed_name="Shop")
    turns = Turns(desk, one)
    before = clock.now() - timedelta(minutes=1)
    under_way = [
        turns.add(state, at=before, due_at=before, lease_until=before)
        for state in (TurnState.WAITING, TurnState.THINKING, TurnState.READY)
    ]
    sent = turns.add(TurnState.SENT, at=before)
    other = turns.add(TurnState.READY, at=before, assistant_id=made(desk, "Another"))
    assert stopped(desk, one) == 1
    for id_ in under_way:
        row = turn(id_)
        assert (row.state, row.reason, row.due_at, row.lease_until) == (
            TurnState.DISCARDED,
            "stopped",
            None,
            None,
        )
        assert row.done_at is not None
    assert [turn(id_).fence for id_ in under_way] == [1, 2, 1], "who thinks holds an older number now"
    assert (turn(sent).state, turn(other).state) == (TurnState.SENT, TurnState.READY)
    assert desk.talk("ana").handled_by == Handler.PERSON
    assert desk.talk("bob").handled_by == Handler.NOBODY
    assert ("handed_to_people", None, "stopped") in desk.lines("ana")
    at = assistant(one).stopped_at
    assert at is not None
    assert stopped(desk, one) == 0
    assert assistant(one).stopped_at == at, "the first time counts"
    assert ana

    def resume(work: UnitOfWork) -> bool:
        return assistants.resume(work, assistants.get(work.session, work.workspace_id, one, lock=True))

    assert do(resume, desk.desk.workspace)
    assert assistant(one).stopped_at is None
    assert not do(resume, desk.desk.workspace)


def test_many_conversations_are_handed_over_in_portions(
    automated: Automated, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(assistants, "AT_ONCE", 2)
    for name in ("ana", "bob", "cy"):
        automatic(automated, name)
    one = made(automated)
    put(automated, one)
    with pytest.raises(AssistantError):
        do(assistants.delete, automated.desk.workspace, one)
    assert assistant(one).stopped_at is None, "nothing of it was written"
    assert stopped(automated, one) == 2
    assert stopped(automated, one) == 1
    assert do(assistants.delete, automated.desk.workspace, one) == "Shop desk"


def test_conversations_go_to_people_when_it_answers_by_itself_no_more(automated: Automated) -> None:
    one = made(automated)
    put(automated, one, Mode.ANSWER, typed_name="Shop")
    automatic(automated, "ana")
    put(automated, one)
    assert automated.talk("ana").handled_by == Handler.PERSON


def test_an_account_says_which_assistant_looks_after_it(automated: Automated) -> None:
    one, account = made(automated), automated.desk.account.id

    def said() -> dict[int, tuple[str, str]]:
        with db.read() as session:
            return assistants.on_accounts(session, automated.desk.workspace)

    assert said() == {}
    put(automated, one)
    assert said() == {account: ("Shop desk", "Suggest")}
    stopped(automated, one)
    assert said() == {account: ("Shop desk", "Stopped")}
    put(automated, one, Mode.OFF)
    assert said() == {}
