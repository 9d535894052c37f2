"""Which conversations a browser copies for reading offline."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from host.core import clock, db
from host.users import workspaces
from tests import helpers
from tests.helpers import do
from tests.inbox.desks import Desk, open_desk
from tests.inbox.scenes import Scene
from tests.inbox.toys import Statements


@pytest.fixture
def desk(database: db.Database, data: Path) -> Desk:
    return open_desk(data)


@pytest.fixture
def scene(desk: Desk) -> Scene:
    made = Scene(desk)
    made.said("ana", "Ana Q.", "Is it in stock?", made.ago(minutes=9))
    made.said("jon", "Jon B.", "Invoice, second try", made.ago(minutes=5))
    return made


def asked(desk: Desk, after: int | str = 0) -> Any:
    answer = desk.browser.get(f"/w/{desk.workspace}/offline?after={after}")
    assert answer.status_code == 200
    return answer.json


def test_the_first_conversations_and_what_changed_in_them(desk: Desk, scene: Scene) -> None:
    ana, jon = scene.conversation("ana"), scene.conversation("jon")
    first = asked(desk)
    assert first["conversations"] == [jon, ana]
    assert first["changed"] is None, "everything is new to who has nothing"
    assert (first["user"], first["most"]) == (desk.mia.id, 50)
    assert asked(desk, first["after"])["changed"] == []

    scene.said("ana", "Ana Q.", "Hello?", clock.now())
    then = asked(desk, first["after"])
    assert then["conversations"] == [ana, jon]
    assert then["changed"] == [ana]
    assert asked(desk, then["after"])["changed"] == []

    desk.browser.post_form(desk.path(f"/{ana}/presence"), state="viewing")
    assert asked(desk, then["after"])["changed"] == [], "who looks at it changes nothing of it"
    scene.close("ana", desk.mia.id, clock.now())
    assert asked(desk, then["after"])["conversations"] == [jon]


def test_a_position_that_is_not_known_means_everything(desk: Desk, scene: Scene) -> None:
    newest = asked(desk)["after"]
    assert asked(desk, newest + 1000)["changed"] is None, "of a desk before it was restored"
    assert desk.browser.get(f"/w/{desk.workspace}/offline?after=x").status_code == 400


@pytest.mark.parametrize("most", [0, 1])
def test_an_owner_chooses_how_many(desk: Desk, scene: Scene, most: int) -> None:
    do(workspaces.change, desk.workspace, offline_conversations=most)
    found = asked(desk)
    assert found["most"] == most
    assert found["conversations"] == [scene.conversation("jon")][:most]


def test_the_settings_of_the_workspace(desk: Desk) -> None:
    page = f"/w/{desk.workspace}/settings/general"
    owner = helpers.make_user("o@example.com", "Olu P.", workspace=desk.workspace, role="owner")
    browser = helpers.client_for(desk.app, owner)
    assert "Conversations kept on phones for reading offline" in browser.get(page).text
    for given, status, most in (("10", 302, 10), ("7", 400, 10), ("", 400, 10), ("0", 302, 0)):
        answer = browser.post_form(page, offline=given)
        assert answer.status_code == status, given
        with db.read() as session:
            assert workspaces.settings(session, desk.workspace).offline_conversations == most


def test_statements_do_not_grow_with_conversations(desk: Desk, scene: Scene, database: db.Database) -> None:
    asked(desk)
    with Statements(database) as few:
        asked(desk)
    for number in range(20):
        scene.said(f"c{number}", f"Customer {number}", "Hello", clock.now())
    with Statements(database) as many:
        asked(desk)
    assert len(many.seen) == len(few.seen)


def test_the_page_without_a_connection_names_nobody(desk: Desk) -> None:
    stranger = desk.app.test_client()
    for query, words in (("", "This page isn’t on this device"), ("?signed-out=1", "You are signed out")):
        page = stranger.get(f"/offline{query}")
        assert page.status_code == 200
        assert words in page.text
        assert "Mia" not in page.text
