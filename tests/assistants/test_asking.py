"""Asking models over real sockets, in both wire forms, and all that may go wrong on the way."""

from __future__ import annotations

import logging
import subprocess
import sys
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from host.assistants.language import asking, wire
from host.assistants.language.asking import ask
from host.assistants.values import ModelAnswer, ModelError, Speaks, ToolOffer, TranscriptLine
from host.core import guard
from host.core.secrets import Secret
from sandbox.model.server import ModelServer
from tests.assistants.model_server import KEY, Calls, setting
from tests.assistants.model_server import ask as question

BOTH = pytest.mark.parametrize("speaks", list(Speaks))
LOOK = ToolOffer(
    "order",
    "Looks an order up",
    {
        "type": "object",
        "properties": {"number": {"type": "integer", "minimum": 1}},
        "required": ["number"],
        "additionalProperties": False,
    },
)
AT = datetime(2026, 11, 20, 12, tzinfo=UTC)


def refused(server: ModelServer, speaks: Speaks = Speaks.OPENAI, **more: Any) -> ModelError:
    with pytest.raises(ModelError) as raised:
        ask(setting(server, speaks), question(**more), Calls())
    return raised.value


@BOTH
def test_an_answer_names_its_sources_and_its_tokens_are_counted(model: ModelServer, speaks: Speaks) -> None:
    thought = ask(setting(model, speaks), question(), Calls())
    assert thought.said == ModelAnswer(
        "To Norway it takes 4 to 6 days and costs 14 €. To Sweden it costs 9 €.", (1,), False, ""
    )
    assert thought.used.model == "stand-in"
    assert thought.used.tokens_in > 100
    assert thought.used.tokens_out > 10
    assert setting(model).cost(thought.used.tokens_in, 3) == thought.used.tokens_in + 6


@BOTH
def test_without_a_source_it_hands_over(model: ModelServer, speaks: Speaks) -> None:
    thought = ask(setting(model, speaks), question("Do you sell candles?"), Calls())
    assert thought.said == ModelAnswer("", (), True, "No source says anything about this")


@BOTH
def test_the_conversation_is_told_in_its_order_and_the_rest_stays_here(
    model: ModelServer, speaks: Speaks
) -> None:
    lines = [
        TranscriptLine("desk", "Welcome", AT),
        TranscriptLine("customer", "Hello", AT),
        TranscriptLine("team", "Good day", AT),
        TranscriptLine("assistant", "How may I help?", AT),
        TranscriptLine("customer", "", AT, kind="image"),
        TranscriptLine("customer", "How long to Norway?", AT),
    ]
    ask(setting(model, speaks), question(lines=lines, most_tokens=321), Calls())
    (asked,) = model.model.asked
    told = [
        (one["role"], one["content"] if isinstance(one["content"], str) else one["content"][0]["text"])
        for one in asked["body"]["messages"]
        if one["role"] != "system"
    ]
    assert told == [
        ("user", "[the team wrote first]"),
        ("assistant", "Welcome"),
        ("user", "Hello"),
        ("assistant", "Good day\nHow may I help?"),
        ("user", "[image]\nHow long to Norway?"),
    ]
    assert asked["body"]["max_tokens"] == 321
    assert asked["body"]["stream"] is False
    assert asked["headers"]["authorization"] == f"Bearer {KEY}"
    assert asked["headers"]["user-agent"].startswith("Lobby/")
    assert not [name for name in asked["headers"] if name.startswith("x-stainless")]


@BOTH
def test_a_model_without_a_key_is_sent_none(model: ModelServer, speaks: Speaks) -> None:
    ask(setting(model, speaks, key=None), question(), Calls())
    (asked,) = model.model.asked
    assert not {"authorization", "x-api-key"} & set(asked["headers"])


@BOTH
def test_plain_text_is_an_answer_without_sources(model: ModelServer, speaks: Speaks) -> None:
    model.model.order(
        {"do": "text", "text": " Six days. "}, {"do": "text", "text": '{"answer": "Six", "sources": [2, 2]}'}
    )
    assert ask(setting(model, speaks), question(), Calls()).said == ModelAnswer("Six days.")
    assert ask(setting(model, speaks), question(), Calls()).said == ModelAnswer("Six", (2,))


@BOTH
def test_a_tool_is_used_and_what_it_says_is_told(model: ModelServer, speaks: Speaks) -> None:
    model.model.order({"do": "call", "tool": "order", "arguments": {"number": 10482}})
    calls = Calls("shipped on Wednesday")
    thought = ask(setting(model, speaks), question(tools=[LOOK]), calls)
    assert calls.made == [("order", {"number": 10482})]
    assert thought.said.sources == (1,)
    first, second = model.model.asked
    assert "shipped on Wednesday" in str(second["body"])
    assert "shipped on Wednesday" not in str(first["body"])


@BOTH
@pytest.mark.parametrize("arguments", [{}, {"number": "one"}, {"number": 0}, {"number": 1, "contact": 7}])
def test_arguments_that_do_not_fit_are_told_to_the_model_and_nothing_is_done(
    model: ModelServer, speaks: Speaks, arguments: dict[str, Any]
) -> None:
    model.model.order({"do": "call", "tool": "order", "arguments": arguments})
    calls = Calls()
    assert ask(setting(model, speaks), question(tools=[LOOK]), calls).said.sources == (1,)
    assert calls.made == []
    assert "Nothing was done" in str(model.model.asked[-1]["body"])


def test_arguments_that_are_no_json_are_told_to_the_model(model: ModelServer) -> None:
    for raw in ("{", "[1]", '"x"'):
        model.model.reset()
        model.model.order({"do": "raw_arguments", "raw": raw})
        assert ask(setting(model), question(), Calls()).said.sources == (1,)
        assert model.model.count == 2


def test_a_tool_nobody_offered_is_not_used(model: ModelServer) -> None:
    model.model.order({"do": "call", "tool": "refund", "arguments": {"amount": 5}})
    calls = Calls()
    assert ask(setting(model), question(tools=[LOOK]), calls).said.sources == (1,)
    assert calls.made == []


@BOTH
def test_tools_are_used_so_often_and_no_more(model: ModelServer, speaks: Speaks) -> None:
    model.model.order({"do": "call", "tool": "order", "arguments": {"number": 1}, "times": 3})
    calls = Calls()
    thought = ask(setting(model, speaks), question(tools=[LOOK], calls=2), calls)
    assert len(calls.made) == 2
    assert thought.said.sources == (1,)
    model.model.reset()
    model.model.order({"do": "call", "tool": "order", "arguments": {"number": 1}, "times": 100})
    error = refused(model, speaks, tools=[LOOK], calls=2)
    assert (error.reason, error.again) == ("model_unreadable", False)
    assert model.model.count == 5


@BOTH
@pytest.mark.parametrize(
    ("status", "reason", "again"),
    [
        (400, "model_refused", False),
        (401, "model_refused", False),
        (403, "model_refused", False),
        (404, "model_refused", False),
        (429, "model_busy", True),
        (500, "model_failed", True),
        (503, "model_failed", True),
        (529, "model_failed", True),
    ],
)
def test_a_refusal_is_asked_once_and_says_why(
    model: ModelServer, speaks: Speaks, status: int, reason: str, again: bool
) -> None:
    model.model.order({"do": "status", "status": status, "message": "not today"})
    error = refused(model, speaks)
    assert (error.reason, error.again, error.detail) == (reason, again, f"{status}: not today")
    assert model.model.count == 1


@BOTH
def test_a_key_is_in_no_error_and_no_log(
    model: ModelServer, speaks: Speaks, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    model.model.change({"key": "another"})
    error = refused(model, speaks)
    assert error.detail == "401: Incorrect API key provided: …"
    model.model.change({"reset": True})
    ask(setting(model, speaks), question(), Calls())
    shown = " ".join([caplog.text, repr(error), str(error), repr(setting(model))])
    assert KEY not in shown
    assert "Norway" not in caplog.text


def test_a_key_that_is_told_in_part_is_taken_out() -> None:
    key = Secret("sk-sample-0123456789")
    assert wire.scrubbed("Wrong key: sk-s****6789\nsorry", key) == "Wrong key: … sorry"
    assert wire.scrubbed("plain", None) == "plain"


@BOTH
@pytest.mark.parametrize("doing", ["break", "garbage", "empty"])
def test_an_answer_that_cannot_be_used(model: ModelServer, speaks: Speaks, doing: str) -> None:
    model.model.order({"do": doing, "times": 2})
    error = refused(model, speaks)
    expected = ("model_failed", True) if doing == "break" else ("model_unreadable", False)
    assert (error.reason, error.again) == expected
    assert model.model.count <= 2
    assert bool(error.used.tokens_in) == (doing == "empty")


@pytest.mark.parametrize("text", ["[" * 100_000, "null", "\xff", "{}", '"x"'])
def test_garbage_of_every_kind(model: ModelServer, text: str) -> None:
    model.model.order({"do": "garbage", "text": text, "times": 2})
    assert refused(model).reason == "model_unreadable"


def test_more_than_a_megabyte_is_not_read(model: ModelServer) -> None:
    model.model.order({"do": "garbage", "text": " " * (wire.MAX_BYTES + 1)})
    assert refused(model).reason == "model_failed"


@BOTH
@pytest.mark.parametrize("order", [{"do": "hang", "seconds": 60}, {"do": "drip", "seconds": 0.05}])
def test_the_time_holds_whatever_the_other_side_does(
    model: ModelServer, speaks: Speaks, order: dict[str, Any]
) -> None:
    ask(setting(model, speaks), question(), Calls())  # the library is imported outside the time
    model.model.order(order)
    began = time.monotonic()
    error = refused(model, speaks, seconds=0.6)
    assert error.reason == "model_timeout"
    assert time.monotonic() - began < 3


def test_a_tool_that_hangs_does_not_hold_the_time_up(model: ModelServer) -> None:
    ask(setting(model), question(), Calls())
    model.model.order({"do": "call", "tool": "order", "arguments": {"number": 1}})

    def hangs(_name: str, _arguments: object) -> str:
        model.model.wait(30)
        return "late"

    began = time.monotonic()
    with pytest.raises(ModelError) as raised:
        ask(setting(model), question(tools=[LOOK], seconds=0.6), hangs)
    assert raised.value.reason == "model_timeout"
    assert raised.value.used.tokens_in > 0
    assert time.monotonic() - began < 3


@BOTH
def test_a_redirect_is_not_followed(model: ModelServer, speaks: Speaks) -> None:
    model.model.order({"do": "redirect", "to": f"{model.url}/elsewhere"})
    error = refused(model, speaks)
    assert (error.reason, error.detail) == (
        "model_refused",
        "307: it sends elsewhere, which is not followed",
    )
    assert model.model.count == 1


def test_a_private_address_is_asked_only_where_the_operator_said_so(model: ModelServer) -> None:
    before, guard._models = guard._models, frozenset()
    try:
        assert refused(model).reason == "model_forbidden"
        guard.allow((), (), [f"127.0.0.1:{model.port}"])
        assert refused(model).reason == "model_forbidden"
        guard.allow((), (), (), [f"127.0.0.1:{model.port}"])
        assert ask(setting(model), question(), Calls()).said.sources == (1,)
    finally:
        guard.allow(())
        guard._models = before


def test_what_is_allowed_for_models_is_allowed_for_nothing_else(model: ModelServer) -> None:
    assert guard.is_exempt("127.0.0.1", model.port, model=True)
    assert not guard.is_exempt("127.0.0.1", model.port)
    assert not guard.is_exempt("127.0.0.1", model.port, mail=True, sign_in=True)
    # Asking leaves nothing behind in the thread it was done in.
    ask(setting(model), question(), Calls())
    assert not wire.attempt.model


def test_no_proxy_of_the_environment_is_used(model: ModelServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("OPENAI_BASE_URL", "ANTHROPIC_BASE_URL"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("OPENAI_API_KEY", "other")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "other")
    for speaks in Speaks:
        assert ask(setting(model, speaks), question(), Calls()).said.sources == (1,)
    assert "other" not in str(model.model.asked)


def test_nobody_listens(model: ModelServer) -> None:
    model.close()
    error = refused(model)
    assert (error.reason, error.again) == ("model_failed", True)


def test_without_the_extra_nothing_is_asked(model: ModelServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "available", lambda: False)
    assert refused(model).reason == "model_missing"
    assert model.model.count == 0


def test_importing_it_imports_no_library() -> None:
    asked = "host.assistants.language.asking"
    code = f"import sys, {asked} as one; one.available(); print(sorted(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    for name in ("pydantic", "openai", "anthropic", "httpx2", "jsonschema_rs"):
        assert f"'{name}'" not in found
