"""Errors are classes, by status and by the codes of the API's document; none shows the key."""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable
from typing import Any

import pytest
from clients.python.tests.standin import KEY, Reply, StandIn, refusal
from host.api.http.openapi import document

from lobby_client import AsyncLobby, Lobby, errors
from lobby_client._wire import Bearer, Request

Run = Callable[..., Any]
Start = Callable[..., StandIn]


def codes() -> dict[str, int]:
    """Return each code of the document with its status."""
    return {
        code: int(status)
        for methods in document("https://desk.example.com")["paths"].values()
        for operation in methods.values()
        for status, answer in operation["responses"].items()
        for code in re.findall(r"^- `(\w+)`", answer["description"], re.MULTILINE)
    }


def test_every_class_of_a_code_stands_below_that_of_its_status() -> None:
    known = codes()
    for code, kind in errors.BY_CODE.items():
        assert issubclass(kind, errors.BY_STATUS.get(known[code], errors.ServerError)), code


def test_every_status_of_the_document_has_a_class() -> None:
    assert {one for one in codes().values() if one < 500} - errors.BY_STATUS.keys() == {416}


def test_an_error_says_what_the_desk_said(run: Run, stand_in: Start) -> None:
    desk = stand_in(refusal(422, "not_written_first"))
    with pytest.raises(errors.NotWrittenFirstError) as caught:
        run(desk, lambda client: client.messages.get(7))
    error = caught.value
    assert isinstance(error, errors.UnprocessableError)
    assert (error.status, error.code, error.request_id) == (422, "not_written_first", "r1")
    assert str(error) == "422 not_written_first: It cannot be done. Do something. (request r1)"


def test_the_id_of_the_request_has_an_old_name_at_older_desks() -> None:
    for given, wanted in (
        ({"requestId": "r2", "request_id": "r2"}, "r2"),
        ({"requestId": "r2"}, "r2"),
        ({"request_id": "r1"}, "r1"),
        ({}, ""),
    ):
        error = errors.APIError(404, {"code": "not_found", **given})
        assert error.request_id == wanted
        assert (f"(request {wanted})" in str(error)) == bool(wanted)


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b'{"error": "no"}', b'{"error": {"code": 7}}', b"\xff"]
)
def test_an_error_may_come_from_something_else(run: Run, stand_in: Start, body: bytes) -> None:
    with pytest.raises(errors.NotFoundError) as caught:
        run(stand_in(Reply(404, body)), lambda client: client.messages.get(7))
    assert "404" in str(caught.value)


def test_an_answer_that_is_no_json_is_told_apart(run: Run, stand_in: Start) -> None:
    with pytest.raises(errors.UnreadableAnswerError, match="GET /messages"):
        run(stand_in(Reply(200, b"<html>")), lambda client: client.messages.get(7))


def test_a_redirect_is_not_followed(run: Run, stand_in: Start) -> None:
    elsewhere = stand_in()
    for status in (301, 302, 303, 307, 308):
        desk = stand_in(Reply(status, None, {"Location": f"{elsewhere.url}/api/v1/members?secret=1"}))
        for call in (
            lambda client: client.members.list(),
            lambda client: client.messages.send(channel_id="a", to="b", content={}),
        ):
            with pytest.raises(errors.RedirectedError, match=r"127\.0\.0\.1"):
                run(desk, call)
        assert len(desk.asked) == 2
    assert elsewhere.asked == []


def test_the_key_is_shown_nowhere(
    run: Run, stand_in: Start, slept: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(0)
    shown: list[str] = []

    def call(client: Any) -> Any:
        shown.append(repr(client) + str(client) + repr(client.messages) + repr(vars(client._http)))
        return client.members.list()

    for reply in (
        refusal(401, "key_invalid"),
        Reply(0),
        Reply(200, b"no"),
        Reply(302, None, {"Location": "/x"}),
    ):
        with pytest.raises(errors.LobbyError) as caught:
            run(stand_in(reply), call)
        shown.append(
            "".join(traceback.TracebackException.from_exception(caught.value, capture_locals=True).format())
        )
        shown.append(repr(caught.value) + repr(vars(caught.value)))
    request = Request("GET", "https://desk.example.com", {"Authorization": Bearer(f"Bearer {KEY}")})
    told = "".join([*shown, repr(request), caplog.text])
    assert "members" in told
    assert KEY not in told.replace(f"api_key = '{KEY}'", "")


@pytest.mark.parametrize("kind", [Lobby, AsyncLobby])
@pytest.mark.parametrize(
    "url",
    [
        "",
        "desk.example.com",
        "ftp://desk.example.com",
        "http://desk.example.com",
        "https://me:hunter2@desk.example.com",
        "https://desk.example.com?x=1",
        "https://desk.example.com/#a",
        "https://",
    ],
)
def test_an_address_that_would_give_the_key_away_is_refused(kind: Any, url: str) -> None:
    with pytest.raises(ValueError, match="base_url") as caught:
        kind(api_key=KEY, base_url=url)
    assert KEY not in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_an_address_is_taken_as_people_write_it() -> None:
    for url in ("https://desk.example.com", "https://desk.example.com/", "https://desk.example.com/api/v1/"):
        assert "'https://desk.example.com/api/v1'" in repr(Lobby(api_key=KEY, base_url=url))
    assert "'http://desk:8080/api/v1'" in repr(
        Lobby(api_key=KEY, base_url="http://desk:8080", allow_http=True)
    )


@pytest.mark.parametrize("key", ["", "  ", "lobby_\nX: y", "lobby_é"])
def test_a_key_that_cannot_be_one_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match="api_key") as caught:
        Lobby(api_key=key, base_url="https://desk.example.com")
    assert not key.strip() or key not in str(caught.value)
