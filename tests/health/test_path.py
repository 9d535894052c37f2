"""A message is followed through the log of a running desk, from the webhook to the screen, by ids alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from demo import journey
from demo.journey import ANSWER, QUESTION, Journey
from demo.outside import Outside
from demo.processes import Host, Sandbox, free_port, sandbox_settings
from tests.health.watching import SECONDS, watching
from tests.whole.rig import until

pytestmark = pytest.mark.slow


@pytest.fixture
def lived(tmp_path: Path) -> Iterator[Journey]:
    """A desk that logs JSON, beside a sandbox; an agent watches its inbox."""
    sandbox, outside = Sandbox.start(), Outside()
    outside.start()
    settings = sandbox_settings(sandbox)
    settings["LOBBY_ALLOW_HOSTS"] += f",{outside.addresses}"
    settings["LOBBY_LOG_FORMAT"] = "json"
    host = Host.start(tmp_path / "data", port=free_port(), settings=settings)
    j = Journey(sandbox, host, outside, free_port())
    try:
        for step in (
            journey.sandbox_answers,
            journey.set_up,
            journey.invite,
            journey.upload,
            journey.install,
        ):
            step(j)
        for step in (journey.activate, journey.connect, journey.verify):
            step(j)
        yield j
    finally:
        host.program.stop()
        sandbox.program.stop()
        outside.stop()


def lines(host: Host) -> list[dict[str, Any]]:
    found = []
    for line in host.program.output.splitlines():
        if line.startswith("{"):
            found.append(json.loads(line))
    return found


def test_a_message_and_its_reply_are_followed_by_their_ids(lived: Journey) -> None:
    j = lived

    def steps(**ids: Any) -> list[dict[str, Any]]:
        wanted = ids.items()
        return [one for one in lines(j.host) if one["logger"] == "lobby.path" and wanted <= one.items()]

    def first(**ids: Any) -> dict[str, Any]:
        look: Callable[[], list[dict[str, Any]]] = lambda: steps(**ids)  # noqa: E731
        return until(look, str(ids), SECONDS)[0]

    with watching(j):
        j.control("POST", "dm", {"customer": "ana.sample", "text": QUESTION})
        received = first(message="received")
        applied = first(message="applied", request_id=received["request_id"])
        conversation, message = applied["conversation_id"], applied["message_id"]
        assert applied["event_id"]
        assert first(message="shown", message_id=message, conversation_id=conversation)["live_id"] > 0
        j.agent.open(f"/w/{j.workspace}/inbox/{conversation}")
        j.agent.press("Send", {"text": ANSWER})
        queued = first(message="queued", conversation_id=conversation)
        first(message="sent", message_id=queued["message_id"], conversation_id=conversation)
        first(message="shown", message_id=queued["message_id"])
    assert received["http_id"] != queued["http_id"], "each line names the request it was written for"
    said = j.host.program.output
    token = next(one["value"] for one in j.seed["tokens"] if one["id"] == "pottery-long")
    for text in (QUESTION[:-2], ANSWER, "blue mug", token):
        assert text not in said, "the log holds ids, never what was said"


def test_each_answer_carries_the_id_of_its_request(lived: Journey) -> None:
    url = f"{lived.host.url}/login"
    first, second = (
        requests.get(url, headers={"X-Request-Id": "made-up-outside"}, timeout=30) for _ in range(2)
    )
    ids = {one.headers["X-Request-Id"] for one in (first, second)}
    assert len(ids) == 2
    assert "made-up-outside" not in ids, "nobody outside gives a name to what the log says"
