"""What is tried again, when, and under which key: nothing is done twice."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import pytest
from clients.python.tests.standin import KEY, Reply, StandIn, refusal

from lobby_client import Lobby, errors

CUT = Reply(0)
SENT = Reply(201, {"data": []})
TEXT = {"channel_id": "ab", "to": "1026", "content": {"type": "text", "text": "Hello"}}
Run = Callable[..., Any]
Start = Callable[..., StandIn]


def send(client: Any) -> Any:
    return client.messages.send(**TEXT)


@pytest.mark.parametrize(
    "first",
    [
        CUT,
        refusal(429, "rate_limited", **{"Retry-After": "3"}),
        refusal(409, "request_in_flight", **{"Retry-After": "3"}),
        refusal(503, "unavailable", **{"Retry-After": "3"}),
        Reply(502, b"<html>bad gateway</html>", {"Content-Type": "text/html"}),
        Reply(504, b""),
    ],
    ids=["cut", "429", "409", "503", "502", "504"],
)
def test_a_message_is_sent_again_under_the_same_key(
    run: Run, stand_in: Start, slept: list[float], first: Reply
) -> None:
    desk = stand_in(first, first, SENT)
    run(desk, send)
    assert desk.paths == ["POST /messages"] * 3
    keys = {one.headers["Idempotency-Key"] for one in desk.asked}
    assert len(keys) == 1
    assert len({one.body for one in desk.asked}) == 1
    asked = 3.0 if "Retry-After" in first.headers else 0.0
    assert all(asked <= one <= asked + 1.0 for one in slept)
    assert len(slept) == 2


def test_each_call_has_a_key_of_its_own_unless_the_program_names_one(run: Run, stand_in: Start) -> None:
    desk = stand_in(SENT)
    run(desk, send)
    run(desk, send)
    run(desk, lambda client: client.messages.send(**TEXT, idempotency_key="order-1042"))
    first, second, named = (one.headers["Idempotency-Key"] for one in desk.asked)
    assert first != second
    assert named == "order-1042"


@pytest.mark.parametrize(
    "answer",
    [
        refusal(400, "invalid_body"),
        refusal(409, "window_closed", **{"Retry-After": "1"}),
        refusal(422, "not_written_first"),
        refusal(500, "error"),
        refusal(502, "provider_refused"),
        refusal(429, "too_many_uploads", **{"Retry-After": "3600"}),
    ],
    ids=lambda one: one.body["error"]["code"],
)
def test_an_answer_is_an_answer(run: Run, stand_in: Start, slept: list[float], answer: Reply) -> None:
    desk = stand_in(answer)
    with pytest.raises(errors.APIError) as caught:
        run(desk, send)
    assert caught.value.status == answer.status
    assert (len(desk.asked), slept) == (1, [])


def test_in_the_end_it_gives_up_and_says_under_which_key(
    run: Run, stand_in: Start, slept: list[float]
) -> None:
    desk = stand_in(CUT)
    with pytest.raises(errors.APIConnectionError) as caught:
        run(desk, send, max_retries=6)
    assert len(desk.asked) == 7
    assert caught.value.sent
    assert caught.value.idempotency_key == desk.asked[0].headers["Idempotency-Key"]
    for pause, most in zip(slept, [0.5, 1, 2, 4, 8, 8], strict=True):
        assert 0 <= pause <= most
    desk = stand_in(refusal(503, "unavailable"))
    with pytest.raises(errors.ServerError) as refused:
        run(desk, send, max_retries=0)
    assert refused.value.idempotency_key == desk.asked[0].headers["Idempotency-Key"]


def test_what_may_not_be_done_twice_is_tried_once(run: Run, stand_in: Start, slept: list[float]) -> None:
    for answer in (CUT, refusal(503, "unavailable")):
        for call in (
            lambda client: client.assistants.play(3, "Do you ship to Norway?"),
            lambda client: client.assistants.try_tool(3, 5, {}),
        ):
            desk = stand_in(answer)
            with pytest.raises((errors.APIConnectionError, errors.ServerError)):
                run(desk, call)
            assert len(desk.asked) == 1
    busy = stand_in(refusal(429, "rate_limited", **{"Retry-After": "1"}), Reply(200, {"id": 7}))
    assert run(busy, lambda client: client.messages.cancel(7)).id == 7


def test_a_desk_that_does_not_listen_was_not_asked(run: Run, stand_in: Start, slept: list[float]) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        desk = stand_in()
        desk.__class__ = type("Closed", (StandIn,), {"url": f"http://127.0.0.1:{port}"})
        with pytest.raises(errors.APIConnectionError) as caught:
            run(desk, lambda client: client.messages.cancel(7), max_retries=2)
    assert not caught.value.sent
    assert len(slept) == 2


def test_a_desk_that_hangs_is_waited_for_as_long_as_was_said(
    run: Run, stand_in: Start, slept: list[float]
) -> None:
    import threading

    done = threading.Event()

    def hang(_asked: Any) -> Reply:
        done.wait(20)
        return Reply(200, {"data": []})

    desk = stand_in(answer=hang)
    try:
        with pytest.raises(errors.APIConnectionError) as caught:
            run(desk, lambda client: client.members.list(), timeout=0.2, max_retries=1)
        assert caught.value.sent
        assert len(desk.asked) == 2
    finally:
        done.set()


def test_a_key_that_expires_soon_is_logged_once(
    run: Run, stand_in: Start, slept: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    at = {"Lobby-Key-Expires": "2026-12-09T23:00:00Z"}
    desk = stand_in(Reply(503, None, at), Reply(201, {"data": []}, at))
    with caplog.at_level("WARNING", logger="lobby_client"):
        run(desk, send)
    assert len(desk.asked) == 2
    (line,) = [one for one in caplog.records if one.name == "lobby_client"]
    assert at["Lobby-Key-Expires"] in line.getMessage()
    assert KEY not in line.getMessage()
    caplog.clear()
    run(stand_in(SENT), send)
    assert not [one for one in caplog.records if one.name == "lobby_client"]


def test_a_client_with_other_settings_logs_it_no_second_time(
    stand_in: Start, caplog: pytest.LogCaptureFixture
) -> None:
    desk = stand_in(Reply(200, {"data": []}, {"Lobby-Key-Expires": "2026-12-09T23:00:00Z"}))
    with Lobby(api_key=KEY, url=desk.url) as client:
        client.members.list()
        client.with_options(timeout=5).members.list()
    assert len([one for one in caplog.records if one.name == "lobby_client"]) == 1
