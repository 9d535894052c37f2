"""A try says what a run would say, and survives every move."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from host.automation.actions import AddLabel
from host.automation.conditions import FilterCondition, Open, Window
from host.models.users import Role
from host.sdk.capabilities import QuickReplyLimits
from host.sequences import playing
from host.sequences.body import Act, Ask, Body, Branch, Call, Case, End, GoTo, Hand, Keep, Say, Step, Wait
from host.sequences.playing import Play, Scene
from host.sequences.proofs import Limits
from host.sequences.template_bodies import TEMPLATES, body_of
from tests import helpers
from tests.sequences.sequenced import Sequenced
from tests.sequences.test_pages import path

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
LIMITS = Limits(timedelta(hours=24), QuickReplyLimits(13, 20, 1000), timedelta(days=1))
SCENE = Scene(LIMITS, "en", "UTC", "Talk to a person", {"contact.first_name": "Ana"})
ASK = Ask(id="ask", text="Which?", kind="choice", choices=("Red", "Blue"), variable="colour")


def play(*steps: Step, moves: tuple[str, ...] = (), scene: Scene = SCENE) -> Play:
    return playing.play(Body(steps=steps), scene, moves, NOW)


def kinds(made: Play) -> list[str]:
    return [one.kind for one in made.entries]


def texts(made: Play) -> list[str]:
    return [one.text for one in made.entries if one.kind == "sent"]


def test_answers_are_tapped_typed_and_kept() -> None:
    thanks = Say(id="thanks", text='{{contact.first_name || "You"}}: {{answer.colour || "none"}}')
    steps = (ASK, thanks, End(id="end", close=True))
    for move in ("tap:1", "say:blue", "say:2"):
        made = play(*steps, moves=(move,))
        assert texts(made) == ["Which?", "Ana: Blue"]
        assert kinds(made)[-2:] == ["end", "close"]
        assert made.ended
    assert [title for title, _payload in play(*steps).offers] == ["Red", "Blue", "Talk to a person"]


def test_time_window_and_hours_pass() -> None:
    by = Branch(
        id="by",
        cases=(
            Case(conditions=(Window("closed"),), to="end"),
            Case(conditions=(Open(False),), to="late"),
        ),
    )
    steps = (Wait(id="wait", hours=2), by, Say(id="in", text="In", then="end"), Say(id="late", text="Late"))
    made = play(*steps, End(id="end"), moves=("later",))
    assert (kinds(made), texts(made)) == (["time", "sent", "end"], ["In"])
    assert made.entries[0].minutes == 120
    assert texts(play(*steps, End(id="end"), moves=("outside", "later"))) == ["Late"]
    assert texts(play(*steps, End(id="end"), moves=("shut", "later"))) == []
    assert texts(play(*steps, End(id="end"), moves=("shut", "say:there"))) == ["In"]


def test_a_wait_for_working_hours_ends_with_them() -> None:
    steps = (Wait(id="wait", until="working"), Say(id="say", text="Hi"), End(id="end"))
    assert texts(play(*steps)) == ["Hi"]
    closed = Scene(LIMITS, is_open=False)
    made = play(*steps, scene=closed)
    assert (texts(made), made.waits) == ([], playing.CLOSED)
    assert kinds(play(*steps, scene=closed, moves=("later",))) == ["time", "inside", "sent", "end"]


def test_labels_of_actions_count_in_branches() -> None:
    labelled = FilterCondition({"labels": [7]})
    by = Branch(id="by", cases=(Case(conditions=(labelled,), to="yes"),), then="end")
    yes = Say(id="yes", text="Yes")
    made = play(Act(id="act", action=AddLabel(7)), by, yes, End(id="end"))
    assert kinds(made) == ["act", "sent", "end"]


def test_a_late_message_takes_its_way_or_ends_it() -> None:
    wait, say = Wait(id="wait", hours=30), Say(id="say", text="Late", closed="people")
    assert kinds(play(wait, say, Hand(id="people"), moves=("later",))) == ["time", "unsent", "people"]
    assert play(wait, Say(id="say", text="Late"), moves=("later",)).entries[-1].text == "window_closed"


def test_a_person_stop_and_what_comes_after_the_end() -> None:
    assert play(ASK, moves=("say:talk to a person",)).entries[-1].text == "asked"
    assert play(ASK, moves=("say:stop",)).entries[-1].text == "opted_out"
    assert kinds(play(End(id="end"), moves=("say:hello",))) == ["end", "said", "unheard"]


def test_a_program_is_played_by_hand() -> None:
    call = Call(
        id="call", url="https://x.example", keeps=(Keep(field="state", variable="state"),), failed="end"
    )
    steps = (call, Say(id="say", text='It is {{answer.state || "?"}}'), End(id="end"))
    assert play(*steps).waits is None
    assert texts(play(*steps, moves=('answer:["sent"]',))) == ["It is sent"]
    assert kinds(play(*steps, moves=("failed",))) == ["failed", "end"]
    for bad in ("answer:", "answer:[]", "answer:[1]", "answer:{}", "later"):
        assert play(*steps, moves=(bad,)).call is not None


def test_a_loop_is_left_to_people() -> None:
    made = play(Say(id="say", text="Again"), GoTo(id="goto", then="say"))
    assert made.entries[-1].text == "budget"
    assert play(GoTo(id="goto", then="goto")).entries[-1].text == "too_long"


@given(st.lists(st.one_of(st.text(max_size=20), st.sampled_from(("later", "tap:0", "say:12", "shut")))))
@settings(max_examples=150, deadline=None)
def test_no_move_breaks_it(moves: list[str]) -> None:
    for key in TEMPLATES:
        made = playing.play(body_of(key, "de"), SCENE, moves, NOW)
        assert made.ended or made.run.step


def test_who_gives_wrong_answers_is_told_in_a_try() -> None:
    ask = Ask(id="ask", text="Which?", kind="number", told="People will answer.")
    made = play(ask, End(id="end"), moves=["say:hm", "say:no"])
    assert texts(made)[-1] == "People will answer."
    assert (made.entries[-1].kind, made.entries[-1].text) == ("people", "no_fit")


@pytest.mark.parametrize("key", ["order", "topics", "feedback"])
def test_a_try_says_what_a_run_says(sequenced: Sequenced, key: str) -> None:
    body = body_of(key, "en")
    sequenced.sequence(*body.steps)
    sequenced.said("ana", "order")
    sequenced.run()
    moves = []
    for text in ("hm", "2"):
        moves.append(f"say:{text}")
        sequenced.said("ana", text)
        sequenced.run()
    plain = Scene(Limits(), "en")  # the desk's channel has no buttons
    made = playing.play(body, plain, moves, NOW)
    assert sequenced.automatic() == texts(made)
    assert sequenced.last.step == made.run.step


def test_the_page_plays_the_moves_in_its_address(sequenced: Sequenced) -> None:
    person = helpers.make_user(name="Olu O.", workspace=sequenced.desk.workspace, role=Role.OWNER)
    client = helpers.client_for(sequenced.desk.app, person)
    id_ = sequenced.sequence(ASK, Hand(id="people"), publish=False)
    there = path(sequenced, id_)
    first = client.get(f"{there}?try=1&said=green").get_data(as_text=True)
    assert first.count("Which?") > 2
    assert 'name="move" value="say:green"' in first
    bad = "&".join(("move=tap:99", "move=tap:-1", "move=later", "move=", "said=%F0%9F%90%88"))
    assert client.get(f"{there}?try=1&{bad}").status_code == 200
    full = client.get(f"{there}?try=1" + "&move=say:x" * 100).get_data(as_text=True)
    assert "Start again to go on" in full
    assert not sequenced.runs()
    assert not sequenced.automatic()
    keeps = (Keep(field="state", variable="state"),)
    call = Call(id="call", url="https://x.example", keeps=keeps, failed="people")
    id_ = sequenced.sequence(call, Say(id="say", text="Done"), Hand(id="people"), publish=False)
    there = path(sequenced, id_)
    assert 'name="kept"' in client.get(f"{there}?try=1").get_data(as_text=True)
    answered = client.get(f"{there}?try=1&kept=sent&answered=1").get_data(as_text=True)
    assert "Kept as state: sent" in answered
