"""A tap on an ice breaker, from Meta's delivery to what the customer gets at the stand-in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from host.automation import buttons, running
from host.automation.consuming import Automating
from host.automation.deciding import Answer
from host.channels.directory import Directory
from host.core import db, storage
from host.events import reading
from host.events.reading import BEGINNING
from host.queue.journal import Journal
from host.sdk.messages import IceBreaker
from tests.delivery.desk import drain
from tests.helpers import do
from tests.instagram import world
from tests.instagram.test_unsend import Desk
from tests.instagram.world import Addon, Meta, item

SHIPS = IceBreaker("Do you ship abroad?", "Do you ship abroad?")
PRICES = IceBreaker("Prices?", "PRICES")
TALK = {"content_type": "text", "title": "Talk to a person", "payload": buttons.PERSON_PAYLOAD}


@pytest.fixture
def desk(desk: db.Database, ig: Addon, tmp_path: Path) -> Iterator[Desk]:
    storage.use(storage.FolderStore(tmp_path / "attachments"))
    journal = Journal(tmp_path / "spool", wake=lambda _: None)
    journal.start()
    yield Desk(ig, desk, tmp_path, journal, world.connect(ig), ig.channel.InstagramAdapter())
    journal.stop()


def run(desk: Desk) -> None:
    """Let the desk do all there is, reading the whole event log once more."""
    generation: Any = SimpleNamespace(directory=Directory([desk.adapter]), number=1)
    reading.number_all()
    with db.read() as session:
        events = reading.after(session, BEGINNING, 200).events
    db.write(Automating(lambda: generation.directory).consume, events)
    while running.run_due(generation.directory):
        pass
    drain(generation)


def test_each_tap_is_answered_once(desk: Desk, meta: Meta) -> None:
    kept = desk.adapter.set_ice_breakers(desk.account, {"default": (SHIPS, PRICES)})
    answers = {
        SHIPS.payload: Answer("Yes, within the EU.", ("Prices",)),
        PRICES.payload: Answer("Here they are.", link_title="Open prices", link="https://shop.example.com/p"),
    }
    payloads = [one.payload for one in kept["default"]]
    do(buttons.keep, desk.account.workspace_id, desk.account.id, "ice_breakers", payloads, answers)
    meta.wrote()
    body = desk.receive(item(postback={"mid": "t1", "title": SHIPS.question, "payload": SHIPS.payload}))
    run(desk)
    desk.deliver(body)  # Meta delivers it again
    run(desk)
    desk.receive(item(postback={"mid": "t2", "title": PRICES.question, "payload": PRICES.payload}))
    run(desk)
    first, second = [meta.box.world.messages[one["mid"]].body for one in meta.sent()]
    assert first["text"] == "Yes, within the EU."
    assert first["quick_replies"] == [{"content_type": "text", "title": "Prices", "payload": "Prices"}, TALK]
    assert second["attachment"]["payload"]["buttons"] == [
        {"type": "web_url", "title": "Open prices", "url": "https://shop.example.com/p"},
        {"type": "postback", "title": "Talk to a person", "payload": buttons.PERSON_PAYLOAD},
    ]
