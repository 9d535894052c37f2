"""Tools of addons that hang for a minute: the turns that asked for them end in time, and others go on."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from host.assistants import tools, turn_worker
from host.assistants.values import Ask, CallTool, ModelAnswer
from host.channels import timeouts
from host.channels.timeouts import HangsError, within
from host.core import clock
from host.sdk.rules import AssistantTool, UsedFor
from tests.assistants.assisting import ANSWER, Assisted
from tests.live.served import until

SCHEMA: Mapping[str, Any] = {"type": "object", "properties": {}, "additionalProperties": False}


def test_what_is_raised_in_time_is_raised() -> None:
    def fails() -> str:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        within(30, "tool toy.fails", fails)
    assert within(30, "tool toy.fails", lambda: "fine") == "fine"


def test_one_that_hangs_hinders_no_other_tool(monkeypatch: pytest.MonkeyPatch) -> None:
    goes_on = threading.Event()

    def hangs() -> str:
        goes_on.wait(60)
        return ""

    try:
        with pytest.raises(HangsError):
            within(0.05, "tool toy.hangs", hangs)
        began = time.monotonic()
        for _ in range(50):
            with pytest.raises(HangsError):
                within(30, "tool toy.hangs", hangs)
        assert time.monotonic() - began < 30, "not one of them waited"
        assert within(30, "tool toy.other", lambda: "fine") == "fine"
    finally:
        goes_on.set()
    until(lambda: not timeouts.count("tool toy.hangs"))
    assert within(30, "tool toy.hangs", lambda: "fine") == "fine"


def test_places_are_given_back_and_other_customers_are_answered(
    assisted: Assisted, monkeypatch: pytest.MonkeyPatch
) -> None:
    goes_on = threading.Event()

    def use(_about: UsedFor, _arguments: Mapping[str, Any]) -> str:
        goes_on.wait(60)
        return ""

    def says(ask: Ask, call: CallTool) -> ModelAnswer:
        if "Where" not in ask.lines[-1].text:
            return ANSWER
        call("toy-order", {})
        return ModelAnswer(hands_over=True)

    assisted.attach(builtin=("toy.order",))
    assisted.threads = True
    one = AssistantTool("toy.order", assisted.desk.account.channel, "Orders", "When asked.", SCHEMA, use)
    monkeypatch.setattr(tools, "SECONDS", 0.2)
    monkeypatch.setattr(turn_worker.tool_calls, "brought_for", lambda *_: {"toy-order": one})
    monkeypatch.setattr(turn_worker, "think", partial(turn_worker.think, ask_model=assisted.model))
    assisted.model.says = says
    for number in range(turn_worker.MOST_OF_ONE):
        assisted.said(f"customer-{number}", text="Where is my order?")
    assisted.read()
    assisted.time.enter_context(clock.travel(timedelta(seconds=5)))
    assisted.said("ana", text="Do you ship to Norway?")
    assisted.read()
    assisted.time.enter_context(clock.travel(timedelta(seconds=10)))
    directory = assisted.desk.generation.directory
    try:
        with assisted.knowing():
            turn_worker.think_due(directory)  # every place of the workspace is taken

            def all_done() -> bool:
                turn_worker.think_due(directory)
                return (
                    len([state for state, _ in assisted.states() if state in {"handed_over", "ready"}]) == 4
                )

            until(all_done)
            until(lambda: turn_worker._slots.free() == turn_worker.MOST_AT_ONCE)
        assert not goes_on.is_set(), "the tool still hangs"
        assert [state for state, _ in assisted.states()] == ["handed_over"] * 3 + ["ready"]
        assert assisted.turns()[-1].text == ANSWER.answer
    finally:
        goes_on.set()
    until(lambda: not timeouts.count("tool toy.order"))
