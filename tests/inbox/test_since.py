"""What came since replies were written that nobody has sent yet."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from host.core import clock, db
from host.inbox.pages import since_views
from tests import helpers
from tests.inbox import scenes, toys
from tests.inbox.desks import Desk, open_desk
from tests.inbox.toys import Statements


@pytest.fixture
def desk(database: db.Database, data: Path) -> Desk:
    return open_desk(data)


@pytest.fixture
def scene(desk: Desk) -> scenes.Scene:
    found = scenes.Scene(desk)
    found.said("ana", "Ana Q.", "Is it still there?", found.ago(hours=1))
    return found


def newest(id_: int) -> int:
    return max(message.id for message in toys.thread(id_))


def asked(desk: Desk, *waiting: str) -> Any:
    return desk.browser.get(desk.path("/since") + "?waiting=" + ",".join(waiting))


def cards(desk: Desk, *waiting: str) -> list[str]:
    answer = asked(desk, *waiting)
    assert answer.status_code == 200
    return [re.sub(r"<[^>]*>|\s+", " ", card) for card in answer.json["cards"]]


def test_it_says_what_customers_and_colleagues_did_meanwhile(desk: Desk, scene: scenes.Scene) -> None:
    ana = scene.conversation("ana")
    seen = newest(ana)
    (card,) = cards(desk, f"reply-{ana}-{seen}")
    assert "Nothing changed" in card
    assert "Since then" not in card
    bo = helpers.make_user("bo@example.com", "Bo T.", workspace=desk.workspace).id
    scene.said("ana", "Ana Q.", "Never <b>mind</b>", scene.ago(minutes=9))
    scene.reply("ana", "You’re welcome", scene.ago(minutes=8), by=bo)
    scene.note("ana", "She found it", scene.ago(minutes=7), bo)
    scene.close("ana", bo, scene.ago(minutes=6))
    html = asked(desk, f"reply-{ana}-{seen}").json["cards"][0]
    assert "Never &lt;b&gt;mind&lt;/b&gt;" not in html, "only the newest are shown"
    (card,) = cards(desk, f"reply-{ana}-{seen}")
    assert "4 things changed" in card
    assert "1 more before these" in card
    for words in ("You’re welcome", "Bo T.", "(note)", "She found it", "closed", "Send anyway"):
        assert words in card
    assert f'data-newest="{newest(ana)}"' in html


def test_a_window_that_closed_is_a_change_for_a_reply_and_none_for_a_note(
    desk: Desk, scene: scenes.Scene
) -> None:
    ana = scene.conversation("ana")
    seen = newest(ana)
    desk.sign_in()
    with clock.travel(timedelta(days=8)):
        browser = helpers.client_for(desk.app, desk.mia)
        answer = browser.get(desk.path("/since") + f"?waiting=reply-{ana}-{seen},note-{ana}-{seen}")
        reply, note = answer.json["cards"]
    assert "1 thing changed" in reply
    assert "You cannot reply here right now." in reply
    assert "Nothing changed" in note


def test_another_workspace_is_answered_like_nothing(desk: Desk, scene: scenes.Scene) -> None:
    other = toys.make_workspace("Another Studio")
    account = toys.make_account(other)
    toys.apply(account, toys.received("A secret of theirs", contact="eve"))
    theirs = scene.conversation("eve")
    found, none = cards(desk, f"reply-{theirs}-0", "reply-987654-0")
    assert found == none
    assert "secret" not in found
    assert "no longer see" in found


@pytest.mark.parametrize(
    "waiting",
    [
        "reply-1",
        "reply-1-2-3",
        "shout-1-2",
        "reply--1-2",
        "reply-x-2",
        f"reply-1-{2**63}",
        "reply-1-1e3",
        "reply-١-2",
        "%00",
        ",".join(["reply-1-1"] * (since_views.MOST + 1)),
    ],
)
def test_what_is_no_list_of_replies_is_refused(desk: Desk, waiting: str) -> None:
    assert asked(desk, waiting).status_code == 400


def test_nothing_asked_is_nothing_answered(desk: Desk) -> None:
    assert cards(desk) == []
    most = [f"reply-{at}-{2**63 - 1}" for at in range(since_views.MOST)]
    assert len(cards(desk, *most)) == since_views.MOST


def test_many_take_as_many_statements_as_one(database: db.Database, desk: Desk, scene: scenes.Scene) -> None:
    ids = []
    for at in range(5):
        scene.said(f"c{at}", f"Customer {at}", "Hello", scene.ago(minutes=at))
        ids.append(scene.conversation(f"c{at}"))
    asked(desk, f"reply-{ids[0]}-0")
    with Statements(database) as one:
        asked(desk, f"reply-{ids[0]}-0")
    with Statements(database) as many:
        asked(desk, *[f"{mode}-{id_}-0" for id_ in ids for mode in ("reply", "note")])
    assert len(many.seen) <= len(one.seen)
