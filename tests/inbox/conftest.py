from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from host.core import db
from host.sdk.channel import AccountRef
from tests import helpers
from tests.inbox import scenes, toys
from tests.inbox.browsing import Open
from tests.inbox.desks import Desk
from tests.live.served import serve


@pytest.fixture
def workspace(database: db.Database) -> int:
    return toys.make_workspace()


@pytest.fixture
def account(workspace: int) -> AccountRef:
    return toys.make_account(workspace)


@pytest.fixture
def mia(workspace: int) -> int:
    return toys.make_user(workspace, "Mia R.")


@pytest.fixture
def base(desk: Desk) -> Iterator[str]:
    with serve(desk) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def open_page(chromium: Any, desk: Desk, base: str) -> Iterator[Open]:
    """Open a page of the inbox, by default as Mia; what goes wrong in a page fails the test."""
    contexts: list[Any] = []
    troubles: list[str] = []

    def opener(rest: str = "", *, browser: helpers.Browser | None = None, **options: Any) -> Any:
        options.setdefault("viewport", {"width": 1440, "height": 900})
        context = chromium.new_context(base_url=base, **options)
        contexts.append(context)
        cookie = (browser or desk.browser).get_cookie("lobby")
        assert cookie is not None
        context.add_cookies([{"name": "lobby", "value": cookie.value, "url": base}])
        page = context.new_page()
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on(
            "console",
            lambda message: troubles.append(message.text) if "Content Security" in message.text else None,
        )
        page.goto(desk.path(rest))
        page.wait_for_selector("[data-inbox]", state="attached")
        return page

    yield opener
    for context in contexts:
        context.close()
    assert troubles == []


@pytest.fixture
def scene(desk: Desk) -> scenes.Scene:
    made = scenes.Scene(desk)
    made.said("ana", "Ana Q.", "Is it in stock?", made.ago(minutes=9))
    made.said("jon", "Jon B.", "Invoice, second try", made.ago(minutes=5))
    return made
