"""``lobby-client listen`` against a desk: over sockets, with restarts of both, and a program that refuses."""

from __future__ import annotations

import itertools
import json
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from lobby_client import webhooks

from demo.processes import Program, clean_environment
from tests.whole.rig import Rig, finish, running, until
from tests.whole.shops import POTTERY, POTTERY_OWNER, furnish, point_webhooks


@dataclass
class Hook:
    """The program on one's own machine.

    :param taken: id and text of each message it was told of and took, in the order it took them.
    :param refuses: whether it takes nothing at the moment.
    """

    url: str = ""
    taken: list[tuple[str, str]] = field(default_factory=list)
    refuses: bool = False
    posts: int = 0
    secret: str = ""

    @property
    def texts(self) -> list[str]:
        return [text for _id, text in self.taken]

    def post(self, headers: dict[str, str], body: bytes) -> int:
        self.posts += 1
        if self.refuses:
            return 503
        told = webhooks.verify(headers, body, self.secret)
        data: Any = json.loads(body)
        if data["event"] == "message.received":
            self.taken.append((told.id, data["data"]["content"]["text"]))
        return 204


@contextmanager
def serving(hook: Hook) -> Iterator[Hook]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(hook.post(dict(self.headers), body))
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    hook.url = f"http://127.0.0.1:{server.server_port}/hook"
    try:
        yield hook
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass
class Shop:
    rig: Rig
    key: str
    hook: Hook
    place: Path
    numbers: Iterator[int] = field(default_factory=itertools.count)

    @contextmanager
    def listening(self) -> Iterator[Program]:
        """Have the command run; it is killed at the end, wherever it is."""
        command = [
            sys.executable,
            "-u",
            "-c",
            "import sys; from lobby_client.cli import main; sys.exit(main())",
        ]
        environment = {**clean_environment(), "DESK_API_KEY": self.key, "DESK_URL": self.rig.url}
        arguments = ["listen", "--forward", self.hook.url, "--place", str(self.place)]
        program = Program.start("listener", [*command, *arguments], environment)
        try:
            self.hook.secret = program.wait_for(r"signed with (\S+)").group(1)
            until(lambda: json.loads(self.place.read_text())["after"], "a place to go on from")
            yield program
        finally:
            program.kill()
            finish(program)

    def write(self, count: int) -> list[str]:
        """Write as a customer, and wait until the desk has it."""
        texts = [f"question {next(self.numbers)} 💙" for _ in range(count)]
        for text in texts:
            said = {"account": POTTERY.igid, "customer": POTTERY.customer, "text": text}
            self.rig.control("POST", "dm", said)
        query = "SELECT count(*) FROM messages WHERE text = ?"
        until(lambda: all(self.rig.value(query, text) for text in texts), "the messages in the inbox")
        return texts


@pytest.fixture
def shop(tmp_path: Path, addon_zip: Path) -> Iterator[Shop]:
    with serving(Hook()) as hook:
        for rig in running(tmp_path / "desk"):
            made = furnish(rig, addon_zip, keys={"Pottery": POTTERY_OWNER})
            rig.start()
            point_webhooks(rig)
            yield Shop(rig, made["keys"]["Pottery"], hook, tmp_path / "place.json")


@pytest.mark.slow
def test_nothing_is_lost_or_doubled_through_restarts_of_the_desk_and_of_the_listener(shop: Shop) -> None:
    hook = shop.hook
    with shop.listening():
        written = shop.write(3)
        until(lambda: hook.texts == written, "the first messages at the program")
        hook.refuses = True
        written += shop.write(3)
        until(lambda: hook.posts > 3, "a post that is refused")
        shop.rig.stop()
        hook.refuses = False
        shop.rig.start()
        written += shop.write(3)
        until(lambda: hook.texts == written, "what happened after the desk was there again", 90)
        shop.rig.kill()
        shop.rig.start()
        written += shop.write(2)
        until(lambda: hook.texts == written, "what happened after the desk was killed", 90)
    written += shop.write(3)
    with shop.listening():
        written += shop.write(2)
        until(lambda: len(hook.texts) >= len(written), "what happened while nobody listened", 90)
    assert hook.texts == written, "in order, each once"
    assert max(Counter(id_ for id_, _text in hook.taken).values()) == 1
