"""Threads below a post: what others said in them is shown where a conversation takes part."""

from __future__ import annotations

import html
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from host.core import db
from host.inbox import erasure, outcome
from host.inbox.comments import threads
from host.inbox.drafts import Draft
from host.inbox.reply import queue_parts
from host.models.inbox import Conversation, Message
from host.sdk.channel import Moderated
from tests.helpers import do
from tests.inbox import desks, toys
from tests.inbox.boards import Board
from tests.inbox.desks import Desk
from tests.inbox.test_comments import JSON, item, page, thread, words


@pytest.fixture
def desk(database: db.Database, data: Path) -> Desk:
    return desks.open_desk(data, toys.PUBLIC)


@pytest.fixture
def board(desk: Desk) -> Board:
    made = Board(desk)
    made.post()
    return made


def ids(desk: Desk, talk: int) -> list[int]:
    return [id_ for id_, _words in thread(desk, talk)]


def fetched(desk: Desk, rest: str) -> Any:
    response = desk.browser.get(desk.path(rest), headers=JSON)
    assert response.status_code == 200
    return response.json


def answered(desk: Desk, board: Board, message_id: int, text: str, external_id: str) -> int:
    """The team answers a comment publicly; return ours."""
    (ours,) = do(
        queue_parts,
        desk.workspace,
        _talk(message_id),
        [Draft(text=text, reply_to=message_id)],
        reply_key=f"public-{message_id}",
        adapter=toys.PUBLIC,
        overflow="reject",
        actor=desk.mia.id,
        now=board.ago(minutes=20),
    )
    if external_id:
        db.write(outcome.record_sent, ours.id, external_id)
    return ours.id


def _talk(message_id: int) -> int:
    with db.read() as session:
        return session.get_one(Message, message_id).conversation_id


def test_a_thread_has_what_others_said_in_it(desk: Desk, board: Board) -> None:
    first = board.said("kit", "Kit L.", "TIDE", board.ago(days=2), mid="c1")
    olu = board.said("olu", "Olu P.", "Mine is beautiful!", board.ago(days=1), about="c1", mid="o1")
    ours = answered(desk, board, olu, "So glad", "a1")
    waiting = answered(desk, board, first, "The same", "")
    mine = board.said("kit", "Kit L.", "Which glaze?", board.ago(hours=1), about="o1", mid="c2")
    board.said("rosa", "Rosa S.", "Elsewhere", board.ago(hours=2), mid="r1")
    board.said("ida", "Ida K.", "Below that", board.ago(hours=2), about="r1")
    talk = board.conversation("kit")
    assert ids(desk, talk) == [first, olu, mine, ours, waiting]
    said = dict(thread(desk, talk))
    assert f'href="/w/{desk.workspace}/inbox/{board.conversation("olu")}"' in item(desk, talk, olu)
    assert "separate conversation with Olu P." in said[olu]
    assert "@sample.pottery Mia R." in said[ours]
    assert "Public So glad" in said[ours]
    assert "Olu P. Mine is beautiful!" in said[mine], "what it answers stands further down, and is quoted"
    for other in (olu, ours):
        assert not {"data-answer", "data-moderate", "data-inbound", "data-act"} & {
            word.split("=")[0] for word in item(desk, talk, other).split()
        }


def test_what_a_comment_answers_stands_above_it_with_its_other_answers(desk: Desk, board: Board) -> None:
    top = board.said("olu", "Olu P.", "I want one", board.ago(days=3), mid="o1")
    rosa = [
        board.said(f"rosa-{n}", "Rosa S.", "Me too", board.ago(hours=60 - n), about="o1")
        for n in range(threads.MOST)
    ]
    board.private(top, "Here is the link, Olu", board.ago(hours=40), "m1")
    kit = board.said("kit", "Kit L.", "And me", board.ago(days=1), about="o1", mid="c1")
    talk = board.conversation("kit")
    shown = thread(desk, talk)
    assert [id_ for id_, _words in shown] == [top, *rosa, kit], "never what was said to another in private"
    assert "cm-below" in page(desk, f"/{talk}").split(f'id="m-{kit}"')[0].rsplit("<li", 1)[1]
    assert "Here is the link" not in " ".join(dict(shown).values())


@pytest.mark.parametrize("how", ["taken back", "deleted", "erased"])
def test_what_is_gone_is_gone_from_every_thread(desk: Desk, board: Board, how: str) -> None:
    top = board.said("olu", "Olu P.", "I want one", board.ago(days=3), mid="o1")
    rosa = board.said("rosa", "Rosa S.", "Me too", board.ago(days=2), about="o1", mid="r1")
    kit = board.said("kit", "Kit L.", "And me", board.ago(days=1), about="o1", mid="c1")
    talk = board.conversation("kit")
    assert ids(desk, talk) == [top, rosa, kit]

    def goes(contact: str, message: int, external_id: str) -> None:
        if how == "taken back":
            board.took_back(contact, external_id, board.now)
        elif how == "deleted":
            board.stands(message, Moderated.DELETED)
        else:
            do(erasure.erase, desk.workspace, board.contact_of(_talk(message)))

    goes("rosa", rosa, "r1")
    assert ids(desk, talk) == [top, kit]
    assert fetched(desk, f"/updates?conversation={talk}&messages={rosa}")["gone"] == [rosa]
    goes("olu", top, "o1")
    assert ids(desk, talk) == [kit]
    ((_id, said),) = thread(desk, talk)
    assert "Deleted comment" in said
    assert "I want one" not in said


def test_a_hidden_comment_of_another_says_who_hid_it(desk: Desk, board: Board) -> None:
    board.said("kit", "Kit L.", "TIDE", board.ago(days=2), mid="c1")
    spam = board.said("crypto", "", "Best signals, link in bio", board.ago(days=1), about="c1")
    board.stands(spam, Moderated.HIDDEN)
    said = dict(thread(desk, board.conversation("kit")))[spam]
    assert "Hidden by Mia R.. Only its author can still see it." in said
    assert "Best signals" not in said
    assert "Unhide" not in said


def test_the_newest_are_shown_and_those_before_on_demand(desk: Desk, board: Board) -> None:
    first = board.said("kit", "Kit L.", "TIDE", board.ago(days=2), mid="c1")
    others = [
        board.said(f"o{n}", f"O {n}", f"No. {n}", board.ago(hours=20 - n), about="c1") for n in range(6)
    ]
    talk = board.conversation("kit")
    assert ids(desk, talk) == [first, *others[-threads.MOST :]]
    text = page(desk, f"/{talk}")
    assert "Earlier replies from others" in words(item(desk, talk, first))
    before = text.split('data-earlier-than="')[1].split('"')[0]
    assert f'data-below="{first}"' in text
    more = fetched(desk, f"/{talk}/messages?below={first}&before={before}")
    assert [f'data-message="{one}"' in more["messages"] for one in others] == [True] * 3 + [False] * 3
    assert more["earlier"] is None
    # Without scripts the link shows more of that thread.
    whole = page(desk, f"/{talk}?below={first}")
    assert [whole.count(f'data-message="{one}"') for one in others] == [1] * 6
    assert "Earlier replies from others" not in whole
    board.post("p2", "Another")
    away = board.said("dee", "Dee T.", "Away", board.ago(hours=2), post="p2", mid="d1")
    board.said("eve", "Eve", "Below that", board.ago(hours=1), post="p2", about="d1")
    for none in (away, 999_999):
        assert fetched(desk, f"/{talk}/messages?below={none}")["messages"] == ""
    elsewhere = fetched(desk, f"/{board.wrote('kit', 'Kit L.', 'Hi', board.now)}/messages?below={first}")
    assert elsewhere["messages"] == "", "what is about no post has no such threads"


def test_an_open_page_follows_what_others_say(desk: Desk, board: Board) -> None:
    board.said("kit", "Kit L.", "TIDE", board.ago(days=2), mid="c1")
    olu = board.said("olu", "Olu P.", "Mine too", board.ago(hours=2), about="c1", mid="o1")
    deeper = board.said("ida", "Ida K.", "Below that", board.ago(hours=1), about="o1")
    rosa = board.said("rosa", "Rosa S.", "Elsewhere", board.ago(hours=2), mid="r1")
    board.post("p2", "Another")
    away = board.said("dee", "Dee T.", "Another post", board.ago(hours=2), about="c1", post="p2")
    talk = board.conversation("kit")
    asked = ",".join(map(str, (olu, deeper, rosa, away)))
    answer = fetched(desk, f"/updates?conversation={talk}&messages={asked}")
    assert [f'data-message="{one}"' in answer["messages"] for one in (olu, deeper, rosa, away)] == [
        *(True, True, False, False)
    ]
    assert answer["gone"] == sorted([rosa, away])
    text = html.unescape(answer["messages"])
    order = text.split(f'data-message="{olu}" data-order="')[1].split('"')[0]
    assert f'data-order="{order}"' in page(desk, f"/{talk}")
    direct = board.wrote("kit", "Kit L.", "Hi", board.now)
    assert f'data-message="{olu}"' not in fetched(desk, f"/updates?conversation={direct}&messages={olu}").get(
        "messages", ""
    )


def test_a_thread_takes_as_many_statements_however_much_others_say(
    desk: Desk, board: Board, database: db.Database
) -> None:
    desk.sign_in()

    def asked(talk: int) -> int:
        with toys.Statements(database) as statements:
            page(desk, f"/{talk}")
        return len(statements.seen)

    for number in range(2):
        board.said("kit", "Kit L.", f"Mine {number}", board.ago(days=2, hours=number), mid=f"c{number}")
        board.said(f"o{number}", "O", "Yours", board.ago(days=1, hours=number), about=f"c{number}")
    talk = board.conversation("kit")
    few = asked(talk)
    for number in range(2, 9):
        board.said("kit", "Kit L.", f"Mine {number}", board.ago(days=2, hours=number), mid=f"c{number}")
        for other in range(5):
            board.said(
                f"o{number}-{other}", "O", "Yours", board.ago(days=1, hours=number), about=f"c{number}"
            )
    assert asked(talk) == few


def test_answers_are_found_by_their_index(desk: Desk, board: Board, database: db.Database) -> None:
    for number in range(300):
        board.said(f"o{number}", "O", "Hi", board.ago(minutes=number + 1), mid=f"x{number}")
    board.said("kit", "Kit L.", "TIDE", board.ago(days=2), mid="c1")
    talk = board.conversation("kit")
    with db.read() as session:
        account = session.get_one(Conversation, talk).account_id
        query = threads._answers(account, talk, "c1", 4, None)
        plan = session.execute(
            sa.text(f"EXPLAIN QUERY PLAN {query.compile(compile_kwargs={'literal_binds': True})}")
        )
        assert "ix_messages_reply_to" in " ".join(str(row) for row in plan)


def test_reading_stops_at_what_is_of_this_conversation(desk: Desk, board: Board) -> None:
    mine = board.said("kit", "Kit L.", "TIDE", board.ago(days=2), mid="c1")
    board.said("olu", "Olu P.", "Newer", board.ago(days=1), about="c1")
    text = page(desk, f"/{board.conversation('kit')}")
    assert f'name="seen" value="{mine}"' in text


def test_each_database_finds_what_others_said(any_database: db.Database, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    desk = desks.open_desk(tmp_path / "data", toys.PUBLIC)
    board = Board(desk)
    board.post()
    first = board.said("kit", "Kit L.", "TIDE", board.ago(days=2), mid="c1")
    top = board.said("olu", "Olu P.", "I want one", board.ago(days=1), mid="o1")
    mine = board.said("kit", "Kit L.", "Me too", board.ago(hours=9), about="o1", mid="c2")
    others = [board.said(f"o{n}", f"O {n}", f"No. {n}", board.ago(hours=8 - n), about="c1") for n in range(5)]
    private = board.private(first, "Here is the link", board.ago(hours=1), "m1")
    talk = board.conversation("kit")
    assert ids(desk, talk) == [first, *others[2:], private, top, mine]
    asked = ",".join(map(str, others))
    answer = fetched(desk, f"/updates?conversation={talk}&messages={asked}")
    assert all(f'data-message="{one}"' in answer["messages"] for one in others)
    before = page(desk, f"/{talk}").split('data-earlier-than="')[1].split('"')[0]
    more = fetched(desk, f"/{talk}/messages?below={first}&before={before}")["messages"]
    assert [f'data-message="{one}"' in more for one in others] == [True, True, False, False, False]
