"""Pages and their live streams in a real browser: cut, catching up, coming back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from host.core import clock, db
from host.live.stream import Stream
from tests.inbox import desks, scenes
from tests.inbox.browsing import Open
from tests.inbox.desks import Desk
from tests.live.served import until

pytestmark = pytest.mark.browser


@pytest.fixture
def desk(database: db.Database, data: Path) -> Desk:
    return desks.open_desk(data)


def streams(desk: Desk) -> list[Stream]:
    return [stream for group in desk.hub._people.values() for stream in group]


def test_a_page_whose_stream_was_cut_is_soon_back(desk: Desk, scene: scenes.Scene, open_page: Open) -> None:
    page: Any = open_page(f"/{scene.conversation('ana')}")
    until(lambda: streams(desk))
    (first,) = streams(desk)
    scene.said("ana", "Ana Q.", "By the first stream", clock.now())
    page.wait_for_selector(".log >> text=By the first stream", timeout=60_000)
    desk.hub.unsubscribe(first)
    scene.said("ana", "Ana Q.", "While it was away", clock.now())
    page.wait_for_selector(".log >> text=While it was away", timeout=60_000)
    until(lambda: streams(desk) not in ([], [first]))
    scene.said("ana", "Ana Q.", "By the second stream", clock.now())
    page.wait_for_selector(".log >> text=By the second stream", timeout=60_000)
    assert page.locator(".log >> text=While it was away").count() == 1


def test_a_page_that_is_left_gives_its_stream_back_at_once(
    desk: Desk, scene: scenes.Scene, open_page: Open
) -> None:
    page: Any = open_page(f"/{scene.conversation('ana')}")
    until(lambda: desk.hub.count == 1)
    page.goto("about:blank")
    until(lambda: desk.hub.count == 0)
