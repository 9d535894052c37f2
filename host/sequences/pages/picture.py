"""The picture of a sequence, drawn from its list of steps: a pure layout, as boxes and lines.

Every step has a row below the steps that lead to it, and a column: the first way out of a step keeps its
column, further ones open columns to the right. Lines that lead back up run along the right edge.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from host.sequences.body import Body, Step, ways_out
from host.sequences.proofs import Proof

WIDTH, HEIGHT = 190, 48
"""Size of a box, in units of the picture."""
GAP_X, GAP_Y, MARGIN = 28, 30, 16


class Box(msgspec.Struct, frozen=True):
    """A step as a box.

    :param number: its number in the list, from 1.
    :param kind: the kind of the step, which decides about its colour.
    :param state: ``path`` if it is on a path that could not be proved, ``wrong`` if it is where that ends.
    """

    step: str
    number: int
    kind: str
    x: int
    y: int
    state: str = ""

    @property
    def middle(self) -> int:
        return self.x + WIDTH // 2


class Line(msgspec.Struct, frozen=True):
    """A way from a step to another.

    :param way: its kind, see :func:`host.sequences.body.ways_out`.
    :param points: its corners, from the box to the arrow's tip.
    :param wrong: whether it is on a path that could not be proved.
    """

    source: str
    to: str
    way: str
    points: tuple[tuple[int, int], ...]
    wrong: bool = False

    @property
    def path(self) -> str:
        """Its corners as the ``d`` of an SVG path."""
        return "M" + " L".join(f"{x} {y}" for x, y in self.points)


class Picture(msgspec.Struct, frozen=True):
    """A sequence as boxes and lines, in units of one pixel at full size."""

    width: int
    height: int
    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]


def draw(body: Body, proof: Proof | None = None) -> Picture:
    """Return the picture of *body*.

    :param proof: what was proved about it; paths that could not be proved are marked.
    """
    rows = _rows(body)
    columns = _columns(body, rows)
    wrong = {} if proof is None else {problem.step: problem for problem in proof.problems}
    on_path = {step for problem in wrong.values() for step in problem.path}
    boxes = {}
    for number, step in enumerate(body.steps, 1):
        state = "wrong" if step.id in wrong else "path" if step.id in on_path else ""
        x = MARGIN + columns[step.id] * (WIDTH + GAP_X)
        y = MARGIN + rows[step.id] * (HEIGHT + GAP_Y)
        kind = str(step.__struct_config__.tag)
        boxes[step.id] = Box(step.id, number, kind, x, y, state)
    edge = max(box.x for box in boxes.values()) + WIDTH
    marked = _marked(proof)
    lines: list[Line] = []
    back = 0
    for step in body.steps:
        for way, to in dict.fromkeys(ways_out(body, step)):
            if to not in boxes:
                continue
            source, target = boxes[step.id], boxes[to]
            if target.y > source.y:
                points = _down(source, target)
            else:
                back += 1
                points = _back(source, target, edge + back * 10)
            lines.append(Line(step.id, to, way, points, (step.id, to) in marked))
    width = edge + MARGIN + back * 10
    height = max(box.y for box in boxes.values()) + HEIGHT + max(MARGIN, GAP_Y // 2 + 1)
    return Picture(width, height, tuple(boxes.values()), tuple(lines))


def _marked(proof: Proof | None) -> set[tuple[str, str]]:
    """Return the ways that are on a path that could not be proved."""
    if proof is None:
        return set()
    return {pair for problem in proof.problems for pair in zip(problem.path, problem.path[1:], strict=False)}


def _next(body: Body, step: Step) -> Sequence[str]:
    return list(dict.fromkeys(to for _way, to in ways_out(body, step) if body.step(to) is not None))


def _rows(body: Body) -> Mapping[str, int]:
    """Return the row of each step: one below the lowest step before it in the list that leads to it."""
    place = {step.id: at for at, step in enumerate(body.steps)}
    rows: dict[str, int] = {}
    for step in body.steps:
        row = rows.setdefault(step.id, max(rows.values(), default=-1) + 1)
        for to in _next(body, step):
            if place[to] > place[step.id]:
                rows[to] = max(rows.get(to, 0), row + 1)
    return rows


def _columns(body: Body, rows: Mapping[str, int]) -> Mapping[str, int]:
    """Return the column of each step: two steps are never in the same place."""
    taken: set[tuple[int, int]] = set()
    columns: dict[str, int] = {}

    def put(id_: str, column: int) -> None:
        while (rows[id_], column) in taken:
            column += 1
        taken.add((rows[id_], column))
        columns[id_] = column

    for step in body.steps:
        if step.id not in columns:
            put(step.id, 0)
        for offset, to in enumerate(_next(body, step)):
            if to not in columns and rows[to] > rows[step.id]:
                put(to, columns[step.id] + offset)
    return columns


def _down(source: Box, target: Box) -> tuple[tuple[int, int], ...]:
    """Return the corners of a line that leads down: out below the box, across just above the target."""
    start, end = (source.middle, source.y + HEIGHT), (target.middle, target.y)
    if source.middle == target.middle:
        return (start, end)
    turn = source.y + HEIGHT + GAP_Y // 2
    if target.y - source.y > HEIGHT + GAP_Y:
        # Past the boxes in between: down in the gap beside the column of the source.
        lane = source.x + WIDTH + GAP_X // 2
        low = target.y - GAP_Y // 2
        return (start, (source.middle, turn), (lane, turn), (lane, low), (target.middle, low), end)
    return (start, (source.middle, turn), (target.middle, turn), end)


def _back(source: Box, target: Box, edge: int) -> tuple[tuple[int, int], ...]:
    """Return the corners of a line that leads back up, along the right edge, between the rows of boxes."""
    out, into = source.y + HEIGHT + GAP_Y // 2, target.y - GAP_Y // 2
    start, end = (source.middle, source.y + HEIGHT), (target.middle, target.y)
    return (start, (source.middle, out), (edge, out), (edge, into), (target.middle, into), end)
