"""Taking in and sending go on beside a model that hangs: in turns with and without, in one run.

All places of a process think, each asking a real server that does not answer for a minute. What is compared
is how long the same work takes then and in the quiet rounds beside it; the figures are ratios.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.orm import Session

from host.assistants import turn_worker
from host.assistants.language import language_models
from host.assistants.models import Assistant, Mode, TurnState
from host.assistants.values import Cap, Limits, Speaks
from host.core import clock, db
from sandbox.model.server import ModelServer
from tests.assistants.assisting import Assisted
from tests.helpers import do
from tests.live.served import until

ROUNDS = 9
EVENTS = 180
LEAST = 0.6
"""Of the speed without a model: what stays under it is no weather. The medians are of rounds side by side."""


def hang(one: Assisted, model: ModelServer) -> None:
    """Have an assistant with a model that hangs, on every place of the process."""
    wanted = language_models.ModelInput("Slow", Speaks.OPENAI, f"{model.url}/v1", "stand-in", "", 0, 0)
    row = do(language_models.create, one.desk.workspace, wanted)
    one.attach(Mode.SUGGEST, model=False, limits=Limits(conversation=Cap(), day=Cap(), seconds=60))

    def ask_it(session: Session) -> None:
        session.get_one(Assistant, one.assistant).model_id = row.id

    db.write(ask_it)
    model.model.change({"orders": [{"do": "hang", "seconds": 60}] * 50})


def fill(one: Assisted) -> None:
    """Let every place of the workspace think about a question of its own."""
    for number in range(turn_worker.MOST_OF_ONE):
        one.said(f"asks-{number}", text="Do you ship to Norway?")
    one.read()
    one.time.enter_context(clock.travel(timedelta(seconds=10)))
    turn_worker.think_due(one.desk.generation.directory)
    until(lambda: sum(state == TurnState.THINKING for state, _ in one.states()) == turn_worker.MOST_OF_ONE)


def took(work: Callable[[], None]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


@pytest.mark.slow
def test_ingest_and_sending_keep_their_speed_beside_a_model_that_hangs(
    assisted: Assisted, model: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turn_worker, "MOST_OF_ONE", turn_worker.MOST_AT_ONCE)
    hang(assisted, model)
    number = 0

    def takes_in() -> None:
        nonlocal number
        for _ in range(EVENTS):
            number += 1
            assisted.said(f"writes-{number % 20}", text="Hello?")

    def sends() -> None:
        for _ in range(EVENTS // 3):
            assisted.answered("writes-1")

    takes_in(), sends()  # nothing is read for the first time after this
    ratios: dict[str, list[float]] = {"ingest": [], "sending": []}
    for _round in range(ROUNDS):
        quiet: dict[str, Any] = {"ingest": took(takes_in), "sending": took(sends)}
        fill(assisted)
        beside = {"ingest": took(takes_in), "sending": took(sends)}
        assert sum(state == TurnState.THINKING for state, _ in assisted.states()) >= turn_worker.MOST_OF_ONE
        for name, seconds in quiet.items():
            ratios[name].append(seconds / beside[name])
        model.model.close()  # lets go of what hangs, for the next quiet round
        until(lambda: turn_worker._slots.free() == turn_worker.MOST_AT_ONCE)
        model.model._closing.clear()
        model.model.change({"orders": [{"do": "hang", "seconds": 60}] * 50})
    medians = {name: statistics.median(found) for name, found in ratios.items()}
    print(medians, ratios)
    assert all(one >= LEAST for one in medians.values()), ratios
