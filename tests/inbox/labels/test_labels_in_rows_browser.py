"""Labels of a row give way to the preview."""

from __future__ import annotations

from typing import Any

import pytest

from host.core import db
from tests.inbox import desks, toys
from tests.inbox.browsing import Open
from tests.inbox.desks import Desk
from tests.inbox.labels.test_labels import made, put
from tests.inbox.scenes import Scene

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def desk(database: db.Database, data: Any) -> Desk:
    return desks.open_desk(data, toys.WINDOWED)


def test_several_fold_to_their_number(desk: Desk, scene: Scene, open_page: Open) -> None:
    names = ("order", "wholesale customers", "a complaint to look at")
    one, *others = (made(desk.workspace, name) for name in names)
    put(desk.workspace, scene.conversation("ana"), add=(one, *others))
    put(desk.workspace, scene.conversation("jon"), add=(one,))
    page = open_page("")
    row = page.locator("[data-row]").filter(has_text="Ana Q.")
    folded = row.locator(".lbls-folded")
    assert folded.inner_text() == "+3"
    assert all(name in folded.get_attribute("title") for name in names)
    assert row.locator(".lbls").is_hidden()
    text = row.locator(".conv-text")
    assert text.evaluate("one => one.scrollWidth <= one.clientWidth"), "the preview is whole"
    single = page.locator("[data-row]").filter(has_text="Jon B.").get_by_text("order", exact=True)
    assert single.is_visible()
    page.set_viewport_size({"width": 840, "height": 900})
    assert row.locator(".lbls").is_visible()
    assert folded.is_hidden()
