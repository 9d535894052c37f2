"""How many requests a key may make, and how it learns where it stands."""

from __future__ import annotations

from pathlib import Path

import pytest
from limits import parse

from host.api.http import limits
from host.core import config, db
from tests.api.desks import ApiDesk, open_api_desk


@pytest.fixture
def slow(database: db.Database, data: Path) -> ApiDesk:
    return open_api_desk(data, api_limit="3/hour")


def test_every_answer_says_what_is_left(slow: ApiDesk) -> None:
    left = []
    for _request in range(3):
        answer = slow.program.call("GET", "/accounts")
        assert answer.headers["RateLimit-Limit"] == "3"
        assert 0 < int(answer.headers["RateLimit-Reset"]) <= 3600
        left.append(answer.headers["RateLimit-Remaining"])
    assert left == ["2", "1", "0"]


def test_one_too_many_is_told_when_to_come_back(slow: ApiDesk) -> None:
    for _request in range(3):
        slow.program.call("GET", "/accounts")
    answer = slow.program.call("GET", "/accounts")
    assert answer.status_code == 429
    assert answer.json is not None
    assert answer.json["error"]["code"] == "rate_limited"
    assert answer.json["error"]["limit"] == 3
    assert answer.headers["RateLimit-Remaining"] == "0"
    assert answer.headers["Retry-After"] == answer.headers["RateLimit-Reset"]


def test_refused_requests_count_too(slow: ApiDesk) -> None:
    for _request in range(3):
        assert slow.program.call("GET", "/conversations/999").status_code == 404
    assert slow.program.call("GET", "/accounts").status_code == 429


def test_each_key_is_counted_alone(slow: ApiDesk) -> None:
    for _request in range(4):
        last = slow.program.call("GET", "/accounts")
    assert last.status_code == 429
    assert slow.reader.call("GET", "/accounts").status_code == 200


def test_a_limit_reached_changes_nothing(slow: ApiDesk) -> None:
    slow.scene.said("ana", "Ana", "Hello", slow.scene.ago(minutes=1))
    conversation = f"/conversations/{slow.scene.conversation('ana')}"
    for _request in range(3):
        slow.program.call("GET", "/accounts")
    assert slow.program.call("PATCH", conversation, {"status": "closed"}).status_code == 429
    assert slow.reader.get(conversation)["status"] == "open"


def test_a_storage_that_does_not_answer_is_no_way_around_the_limit() -> None:
    class DownError(Exception):
        """What a storage raises that is gone."""

    counter = limits.Counter("memory://")

    class Gone:
        def hit(self, *_: object) -> bool:
            raise DownError

    counter._limiter = Gone()  # type: ignore[assignment]
    counter._down = (DownError,)
    limit = parse("2/minute")
    assert [counter.count(limit, 1).allowed for _ in range(3)] == [True, True, False]


@pytest.mark.parametrize("text", ["", "many", "600", "-1/minute", "600/fortnight", "600 per"])
def test_a_limit_that_is_none_stops_the_start(text: str) -> None:
    with pytest.raises(config.ConfigError, match="LOBBY_API_LIMIT"):
        config.load({"LOBBY_API_LIMIT": text})
