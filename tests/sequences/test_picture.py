"""The picture of a sequence: every step once, no two in one place, every way drawn."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given, settings

from host.sequences.body import Ask, Body, Branch, Case, End, GoTo, Hand, Say, Step, Wait, ways_out
from host.sequences.pages.picture import GAP_X, GAP_Y, HEIGHT, WIDTH, Picture, draw
from host.sequences.proofs import Limits, prove
from tests.sequences.test_proving import steps

ORDER: tuple[Step, ...] = (
    Ask(id="ask", text="Which order?"),
    Branch(id="which", cases=(Case(to="sent", variable="x"), Case(to="people", variable="y")), then="other"),
    Say(id="sent", text="It left us"),
    Wait(id="wait", hours=48),
    Say(id="safe", text="Did it arrive?"),
    End(id="end"),
    Hand(id="people"),
    Hand(id="other"),
)


def placed(picture: Picture) -> dict[str, tuple[int, int]]:
    return {box.step: (box.x // (WIDTH + GAP_X), box.y // (HEIGHT + GAP_Y)) for box in picture.boxes}


def test_branches_stand_side_by_side_below_their_step() -> None:
    picture = draw(Body(steps=ORDER))
    where = placed(picture)
    assert where["ask"] == (0, 0)
    assert where["which"] == (0, 1)
    assert where["sent"] == (0, 2)
    assert where["people"] == (1, 2)
    assert where["other"] == (2, 2)
    assert [where[one] for one in ("wait", "safe", "end")] == [(0, 3), (0, 4), (0, 5)]
    assert [box.number for box in picture.boxes] == list(range(1, 9))


def test_the_path_to_a_message_outside_the_window_is_marked() -> None:
    body = Body(steps=ORDER)
    picture = draw(body, prove(body, Limits(timedelta(hours=24))))
    states = {box.step: box.state for box in picture.boxes}
    assert states["safe"] == "wrong"
    assert {states[one] for one in ("which", "sent", "wait")} == {"path"}
    assert {states[one] for one in ("people", "other", "end")} == {""}
    marked = [(line.source, line.to) for line in picture.lines if line.wrong]
    assert marked == [("which", "sent"), ("sent", "wait"), ("wait", "safe")]


def test_a_way_back_runs_along_the_edge() -> None:
    body = Body(steps=(Ask(id="ask", text="?"), Say(id="say", text="Hm"), GoTo(id="again", then="ask")))
    (back,) = [line for line in draw(body).lines if line.to == "ask"]
    assert max(x for x, _y in back.points) > WIDTH
    assert back.path.startswith("M")


@settings(max_examples=150, deadline=None)
@given(steps())
def test_every_step_and_way_is_drawn_once(found: tuple[Step, ...]) -> None:
    body = Body(steps=found)
    picture = draw(body)
    assert {box.step for box in picture.boxes} == {step.id for step in found}
    places = list(placed(picture).values())
    assert len(set(places)) == len(places)
    wanted = {(step.id, to, way) for step in found for way, to in ways_out(body, step) if to}
    assert {(line.source, line.to, line.way) for line in picture.lines} == wanted
    for line in picture.lines:
        assert all(0 <= x <= picture.width and 0 <= y <= picture.height for x, y in line.points)
