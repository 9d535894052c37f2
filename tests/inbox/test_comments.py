"""Pages of comments: the list, the thread, the composer, and what can be done about a comment."""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from host.core import db
from host.inbox import outcome
from host.inbox.drafts import Draft, plan
from host.models.inbox import Conversation, DeliveryState, Message
from host.models.posts import MessageModeration
from host.sdk.channel import Moderated, ProviderProblem
from host.sdk.messages import PostKind
from host.search.finding import filters
from host.search.finding.query import read_query
from tests.inbox import desks, toys
from tests.inbox.boards import Board
from tests.inbox.desks import Desk

JSON = {"Accept": "application/json"}
KEY = "a-key-of-the-page"
REFUSED = ProviderProblem("10900", "The provider refuses a private reply here.", "Reply publicly.")


@pytest.fixture
def desk(database: db.Database, data: Path) -> Desk:
    return desks.open_desk(data, toys.PUBLIC)


@pytest.fixture
def board(desk: Desk) -> Board:
    return Board(desk)


def page(desk: Desk, rest: str = "", status: int = 200) -> str:
    response = desk.browser.get(desk.path(rest))
    assert response.status_code == status
    return html.unescape(response.text)


def sent(desk: Desk, rest: str, **fields: Any) -> Any:
    """Send a form as the page's scripts do."""
    data = {"csrf_token": desk.browser.csrf(), **fields}
    return desk.browser.post(desk.path(rest), data=data, headers=JSON)


def words(text: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", text).split())


def row(desk: Desk, conversation: int, query: str = "") -> str:
    """Return one row of the list."""
    found = re.search(rf'<li data-row="{conversation}".*?</li>', page(desk, query), re.DOTALL)
    return "" if found is None else found.group()


def thread(desk: Desk, conversation: int) -> list[tuple[int, str]]:
    """Return the id and the words of each entry, from top to bottom."""
    log = page(desk, f"/{conversation}").split('data-part="log"')[1].split("</ol>")[0]
    parts = re.split(r'<li class="', log)[1:]
    return [
        (int(found.group(1)), words(f"<{part}"))
        for part in parts
        if (found := re.search(r'data-message="(\d+)"', part)) is not None
    ]


def item(desk: Desk, conversation: int, message: int) -> str:
    text = page(desk, f"/{conversation}")
    return text.split(f'id="m-{message}"')[1].split("</li>")[0]


def test_a_row_has_the_posts_picture_and_one_word(desk: Desk, board: Board) -> None:
    board.post(picture_url="https://provider.example/1.jpg")
    board.post("p2", "", kind=PostKind.LIVE, ended_at=board.ago(minutes=1))
    made: dict[str, int] = {}
    for name, age in (("kit", 1), ("ida", 9 * 24), ("hid", 2), ("del", 3), ("got", 4), ("ref", 5)):
        made[name] = board.said(name, name, "Hello", board.ago(hours=age))
    board.said("live", "Dee", "Too late?", board.ago(minutes=2), post="p2")
    board.stands(made["hid"], Moderated.HIDDEN)
    board.took_back("del", next(iter(_external(made["del"]))), board.ago(hours=1))
    board.private(made["got"], "Here", board.ago(hours=3), "sent-1")
    refused = board.private(made["ref"], "Here", board.ago(hours=3))
    db.write(outcome.record_failed, refused, REFUSED)
    kit = row(desk, board.conversation("kit"))
    assert f"/media/posts/{board.post()}?v=" in kit
    assert "about the post Tide mugs are back." in words(kit)
    assert "6 d 22 h" in words(kit) or "6 d 23 h" in words(kit)
    said = {name: words(row(desk, board.conversation(name))) for name in (*made, "live")}
    assert " d " not in said["ida"]
    assert "Hidden" in said["hid"]
    assert "Deleted" in said["del"]
    assert " d " not in said["got"]
    assert "Refused" in said["ref"]
    assert "Live is over" in said["live"]
    assert '<img src="/w/' not in row(desk, board.conversation("live")).split("post-thumb")[1]


def _external(message_id: int) -> list[str]:
    with db.read() as session:
        return [session.get_one(Message, message_id).external_id or ""]


def test_a_list_of_comments_takes_as_many_statements_however_long(
    desk: Desk, board: Board, database: db.Database
) -> None:
    desk.sign_in()

    def asked() -> int:
        with toys.Statements(database) as statements:
            page(desk)
        return len(statements.seen)

    board.post()
    board.said("c0", "C 0", "Hello", board.ago(hours=1))
    few = asked()
    for number in range(1, 9):
        board.post(f"q{number}", f"Post {number}")
        board.said(f"c{number}", f"C {number}", "Hello", board.ago(hours=number), post=f"q{number}")
    assert asked() == few


def test_the_list_is_narrowed_to_a_post(desk: Desk, board: Board) -> None:
    first, second = board.post(), board.post("p2", "Rim plates, live")
    board.said("kit", "Kit L.", "One", board.ago(hours=1))
    board.said("olu", "Olu P.", "Two", board.ago(hours=2))
    board.said("kit", "Kit L.", "Three", board.ago(hours=3), post="p2")
    whole = words(page(desk))
    assert "Posts Rim plates, live 1 Tide mugs are back. Twelve of them. 2" in whole
    narrow = page(desk, f"?post={first}")
    assert narrow.count("data-row=") == 2
    assert "Tide mugs are back. Twelve of them." in words(narrow.split('data-part="heading"')[1][:400])
    assert page(desk, f"?post={second}").count("data-row=") == 1
    assert page(desk, "?post=999999").count("data-row=") == 0
    assert page(desk, "?post=x").count("data-row=") == 3, "what is no id counts as left out"
    desk.browser.post_form(desk.path(f"/views?post={second}"), name="Plates")
    assert f"?post={second}&saved=" in page(desk)
    for typed, wanted in (("post:rim", second), (f"post:{first}", first), ('post:"tide mugs"', first)):
        with db.read() as session:
            understood = filters.understood(session, desk.workspace, None, read_query(typed))
        assert understood.conversations.post == wanted
    with db.read() as session:
        assert filters.understood(session, desk.workspace, None, read_query("post:gone")).unknown


def test_the_post_stands_above_its_thread(desk: Desk, board: Board) -> None:
    post = board.post(picture_url="https://provider.example/1.jpg")
    board.said("kit", "Kit L.", "Hello", board.ago(hours=1))
    talk = board.conversation("kit")
    text = page(desk, f"/{talk}")
    assert "Comments on a post of @sample.pottery" in words(text)
    assert 'href="https://provider.example/p/1"' in text
    assert f"/media/posts/{post}?v=" in text
    board.post(gone_at=board.now, picture_url=None)
    text = page(desk, f"/{talk}")
    assert "It no longer exists." in words(text)
    assert 'href="https://provider.example/p/1"' not in text
    board.post(url="javascript:alert(1)", gone_at=None)
    assert "javascript:" not in page(desk, f"/{talk}")


def test_replies_stand_below_what_they_answer(desk: Desk, board: Board) -> None:
    board.post()
    first = board.said("kit", "Kit L.", "TIDE", board.ago(days=2), mid="c1")
    second = board.said("kit", "Kit L.", "Is there a lid?", board.ago(days=1), mid="c2")
    theirs = board.said("olu", "Olu P.", "I want one", board.ago(days=1), mid="o1")
    below = board.said("kit", "Kit L.", "And a plate?", board.ago(hours=2), about="c1", mid="c3")
    deeper = board.said("kit", "Kit L.", "Or two", board.ago(hours=1), about="c3")
    other = board.said("kit", "Kit L.", "Me too", board.ago(minutes=30), about="o1")
    sent = board.private(first, "Here is the link", board.ago(hours=20), "m1")
    talk = board.conversation("kit")
    shown = thread(desk, talk)
    assert [id_ for id_, _ in shown] == [first, sent, below, deeper, second, theirs, other]
    assert "Olu P. I want one" in " ".join(dict(shown)[theirs].split())
    assert "I want one" not in dict(shown)[other], "what stands right above it is not quoted"
    assert "TIDE" not in dict(shown)[below]
    text = page(desk, f"/{talk}")
    days = [board.ago(days=2), board.ago(days=1)]  # of what stands at the top
    assert text.count('class="day"') == len({day.date() for day in days})
    answer = desk.browser.get(desk.path(f"/updates?conversation={talk}&messages={deeper}"), headers=JSON).json
    order = re.search(r'data-order="([^"]+)"', answer["messages"])
    assert order is not None
    assert f'data-order="{order.group(1)}"' in text, "one that comes alone knows its place"


def test_a_private_reply_says_what_became_of_it(desk: Desk, board: Board) -> None:
    board.post()
    ask = board.said("kit", "Kit L.", "TIDE", board.ago(days=2))
    ours = board.private(ask, "Here is the link", board.ago(days=1), "m1")
    talk = board.conversation("kit")
    assert "Sent, not read yet" in dict(thread(desk, talk))[ours]
    assert "In their requests folder, unless they follow you." in dict(thread(desk, talk))[ours]
    assert "Open Direct" not in dict(thread(desk, talk))[ours]
    direct = board.sent_privately("kit", "Kit L.", "m1", "Here is the link", board.ago(days=1))
    assert f'/inbox/{direct}">Open Direct' in item(desk, talk, ours)
    there = page(desk, f"/{direct}")
    assert "Opened by a private reply to a comment: Tide mugs are back." in words(there)
    assert f'class="thread-origin" href="/w/{desk.workspace}/inbox/{talk}"' in there
    assert "Mia R. Private reply to a comment" in words(there)
    assert "Not sent from Lobby" not in words(there)
    elsewhere = board.sent_privately("kit", "Kit L.", "m9", "From the app", board.ago(hours=20))
    assert "Not sent from Lobby" in words(page(desk, f"/{elsewhere}"))
    board.wrote("kit", "Kit L.", "Thank you!!", board.ago(hours=1))
    assert "Answered" in dict(thread(desk, talk))[ours]
    aside = words(page(desk, f"/{talk}").split('id="contact"')[1])
    assert "Direct with Kit L." in aside
    assert "Opened by the private reply" in aside
    assert "Thank you!!" in aside
    assert "TIDE private reply" in aside
    failed = board.private(
        board.said("kit", "Kit L.", "And?", board.ago(hours=1)), "No", board.ago(minutes=5)
    )
    db.write(outcome.record_failed, failed, REFUSED)
    said = dict(thread(desk, talk))[failed]
    assert "Refused" in said
    assert "The provider refuses a private reply here." in said


def test_who_hid_a_comment_is_said_and_it_can_be_shown_again(desk: Desk, board: Board) -> None:
    board.post()
    ids = [board.said("kit", "Kit L.", f"No. {number}", board.ago(hours=9 - number)) for number in range(5)]
    hidden, deleted, back, coming, failed = ids
    board.stands(hidden, Moderated.HIDDEN)
    board.stands(deleted, Moderated.DELETED)
    board.took_back("kit", next(iter(_external(back))), board.ago(hours=1))
    board.stands(coming, Moderated.HIDDEN, state=DeliveryState.QUEUED)
    board.stands(
        failed, Moderated.HIDDEN, state=DeliveryState.FAILED, error={"sentence": "The provider says no."}
    )
    talk = board.conversation("kit")
    said = dict(thread(desk, talk))
    assert "Hidden by Mia R.. Only its author can still see it. Unhide" in said[hidden]
    assert "Deleted by Mia R." in said[deleted]
    assert "Deleted by Kit L." in said[back]
    assert "Hiding…" in said[coming]
    assert "Hiding failed. The provider says no." in said[failed]
    for gone in (deleted, back):
        assert "data-answer" not in item(desk, talk, gone)
        assert "data-moderate" not in item(desk, talk, gone)
    kept = item(desk, talk, failed)
    assert 'data-moderate="hidden"' in kept
    assert "This cannot be undone." in kept
    assert 'data-moderate="shown"' in item(desk, talk, hidden)


def test_a_comment_is_hidden_shown_and_deleted(desk: Desk, board: Board) -> None:
    board.post()
    about = board.said("kit", "Kit L.", "Spam", board.ago(hours=1))
    talk = board.conversation("kit")
    at = desk.path(f"/{talk}/messages/{about}/moderate")
    assert desk.browser.post_form(at, wanted="hidden").status_code == 303
    assert [(one.wanted, one.state) for one in toys.everything_of(MessageModeration)] == [
        ("hidden", "queued")
    ]
    for wanted in ("", "liked", "HIDDEN"):
        assert desk.browser.post_form(at, wanted=wanted).status_code == 400
    ours = board.private(about, "Psst", board.ago(minutes=5))
    response = sent(desk, f"/{talk}/messages/{ours}/moderate", wanted="deleted")
    assert response.status_code == 409
    assert response.json["error"]["code"] == "moderation_not_supported"
    other = desk.path(f"/{talk}/messages/999999/moderate")
    assert desk.browser.post_form(other, wanted="hidden").status_code == 404


def written(desk: Desk, talk: int, form: str, **fields: Any) -> Any:
    fields.setdefault("reply_key", KEY)
    return sent(desk, f"/{talk}/{form}", **fields)


def test_the_composer_answers_one_comment_publicly_or_privately(desk: Desk, board: Board) -> None:
    board.post()
    first = board.said("kit", "Kit L.", "TIDE", board.ago(days=2))
    newest = board.said("kit", "Kit L.", "Does the blue one go in the oven?", board.ago(hours=1))
    talk = board.conversation("kit")
    text = page(desk, f"/{talk}")
    assert f'data-answers="{newest}"' in text
    assert "to Does the blue one go in the oven?" in words(text)
    assert "Public replies have no time limit" in words(text)
    assert "left for the one private reply" in words(text)
    assert "Reply publicly" in words(text)
    text = page(desk, f"/{talk}?write=private&quote={first}")
    assert f'data-answers="{first}"' in text
    assert 'data-mode="private"' in text
    assert "0 / 100 bytes" in words(text)
    assert f'data-answers="{newest}"' in page(desk, f"/{talk}?quote=999999"), (
        "what is not here is not answered"
    )

    assert (
        written(desk, talk, "reply", text="Up to 180 °C", reply_to=newest, reply_key="public-1").status_code
        == 200
    )
    assert written(desk, talk, "reply-privately", text="x" * 101, reply_to=first).status_code == 400
    answer = written(desk, talk, "reply-privately", text="Here is the link", reply_to=first)
    assert answer.status_code == 200
    assert "Private reply" in words(answer.json["messages"])
    with db.read() as session:
        query = sa.select(Message.text, Message.reply_to).where(Message.direction == "outbound")
        assert {tuple(one) for one in session.execute(query)} == {
            ("Up to 180 °C", _external(newest)[0]),
            ("Here is the link", _external(first)[0]),
        }
    text = page(desk, f"/{talk}?write=private&quote={first}")
    assert "Private reply: Used on " in words(text)
    assert 'data-form="private"' not in text
    again = written(
        desk, talk, "reply-privately", text="Once more", reply_to=first, reply_key="another-key-1"
    )
    assert again.status_code == 409
    assert again.json["error"]["code"] == "private_reply_used"
    for wrong in ("", "x", "999999"):
        assert written(desk, talk, "reply-privately", text="Hi", reply_to=wrong).status_code in {400, 404}


def test_a_part_that_names_no_comment_answers_the_newest(desk: Desk, board: Board) -> None:
    board.post()
    first = board.said("kit", "Kit L.", "TIDE", board.ago(days=2))
    newest = board.said("kit", "Kit L.", "Does the blue one go in the oven?", board.ago(hours=1))
    talk = board.conversation("kit")
    drafts = [Draft(text="To this", reply_to=first), Draft(text="To you")]
    with db.read() as session:
        conversation = session.get_one(Conversation, talk)
        planned = plan(session, conversation, drafts, toys.Public.capabilities, "split")
    assert [one.reply_to for one in planned] == [*_external(first), *_external(newest)]


def test_what_could_not_be_sent_is_still_there(desk: Desk, board: Board) -> None:
    board.post()
    about = board.said("kit", "Kit L.", "TIDE", board.ago(hours=1))
    talk = board.conversation("kit")
    long = "Here it is. " * 20
    response = desk.browser.post_form(
        desk.path(f"/{talk}/reply-privately"), text=long, reply_to=about, reply_key=KEY
    )
    assert response.status_code == 400
    text = html.unescape(response.text)
    assert long.strip() in text.split('data-form="private"')[1].split("</textarea>")[0]
    assert 'data-mode="private"' in text
    response = desk.browser.post_form(
        desk.path(f"/{talk}/reply"), text="Public. " * 50, reply_to=about, reply_key=KEY
    )
    assert response.status_code == 400
    assert "Public. Public." in response.text.split('data-form="reply"')[1].split("</textarea>")[0]


def test_a_private_reply_that_cannot_be_says_why(desk: Desk, board: Board) -> None:
    board.post(ended_at=None)
    board.said("kit", "Kit L.", "TIDE", board.ago(days=8))
    talk = board.conversation("kit")
    assert "Private reply: Seven days have passed." in words(page(desk, f"/{talk}"))
    about = board.said("kit", "Kit L.", "Now?", board.ago(hours=1))
    board.post(ended_at=board.now)
    assert "Private reply: The broadcast is over." in words(page(desk, f"/{talk}"))
    board.stands(about, Moderated.DELETED)
    assert f'data-answers="{about}"' not in page(desk, f"/{talk}")


def test_below_a_broadcast_there_are_private_replies_alone(desk: Desk, board: Board) -> None:
    board.post(kind=PostKind.LIVE)
    first = board.said("kit", "Kit L.", "Which glaze?", board.ago(minutes=9))
    about = board.said("kit", "Kit L.", "Is it for sale?", board.ago(minutes=1))
    talk = board.conversation("kit")
    text = page(desk, f"/{talk}")
    assert 'data-form="reply"' not in text
    assert 'data-mode="private"' in text
    assert "Comments on this post cannot be replied to publicly." in words(text)
    assert "Reply publicly" not in words(item(desk, talk, about))
    assert "Reply privately" in words(item(desk, talk, about))

    refused = written(desk, talk, "reply", text="It is", reply_to=about)
    assert (refused.status_code, refused.json["error"]["code"]) == (409, "private_only")
    response = desk.browser.post_form(
        desk.path(f"/{talk}/reply"), text="It is still there", reply_to=about, reply_key=KEY
    )
    assert response.status_code == 409
    assert "It is still there" in response.text.split('data-form="private"')[1].split("</textarea>")[0]
    assert written(desk, talk, "reply-privately", text="It is", reply_to=about).status_code == 200
    assert 'data-form="private"' in page(desk, f"/{talk}?write=private&quote={first}")

    board.post(ended_at=board.now)
    text = page(desk, f"/{talk}?quote={first}")
    assert "Comments on this post cannot be replied to publicly. The broadcast is over." in words(text)
    assert 'data-form="private"' not in text
    assert 'data-mode="note"' in text


def test_where_every_comment_is_gone_there_is_nothing_to_answer(desk: Desk, board: Board) -> None:
    board.post()
    about = board.said("kit", "Kit L.", "Oops", board.ago(hours=1), mid="c1")
    board.took_back("kit", "c1", board.ago(minutes=1))
    talk = board.conversation("kit")
    text = page(desk, f"/{talk}")
    assert "There are no comments to reply to." in words(text)
    assert 'data-form="reply"' not in text
    assert written(desk, talk, "reply", text="Hello", reply_to=about).status_code in {400, 409}


@pytest.mark.parametrize("by", ["author", "team"])
def test_a_reply_to_a_deleted_comment_is_not_sent_again(desk: Desk, board: Board, by: str) -> None:
    board.post()
    about = board.said("kit", "Kit L.", "Oops", board.ago(hours=1), mid="c1")
    talk = board.conversation("kit")
    publicly = written(desk, talk, "reply", text="Hello", reply_to=about, reply_key="a" * 32).json["ids"][0]
    private = board.private(about, "Psst", board.ago(minutes=5))
    db.write(outcome.record_failed, publicly, REFUSED)
    db.write(outcome.record_unknown, private, REFUSED)
    for message, action in ((publicly, "retry"), (private, "send_again")):
        assert f"/messages/{message}/{action}" in item(desk, talk, message)
    if by == "author":
        board.took_back("kit", "c1", board.ago(minutes=1))
    else:
        board.stands(about, Moderated.DELETED)
    for message, action in ((publicly, "retry"), (private, "send_again")):
        assert f"/messages/{message}/{action}" not in item(desk, talk, message)
        answer = sent(desk, f"/{talk}/messages/{message}/{action}")
        assert (answer.status_code, answer.json["error"]["code"]) == (409, "comment_deleted")
    assert "can’t be sent anymore" in item(desk, talk, publicly)
    text = page(desk, f"/{talk}")
    assert "left for the one private reply" not in text
    assert "win-" not in row(desk, talk)


def test_a_post_is_only_for_who_sees_its_account(desk: Desk, board: Board) -> None:
    post = board.post(picture_url="https://provider.example/1.jpg")
    other = toys.make_workspace("Other")
    assert desk.browser.get(f"/w/{other}/media/posts/{post}").status_code == 404
    assert desk.browser.get(f"/w/{desk.workspace}/media/posts/999999").status_code == 404
    board.post(picture_url=None)
    assert desk.browser.get(f"/w/{desk.workspace}/media/posts/{post}").status_code == 404


def test_the_less_time_is_left_the_louder_it_is_said(desk: Desk, board: Board) -> None:
    board.post()
    for contact, minutes in (("ana", 200), ("bob", 120), ("cat", 20), ("dee", -1)):
        board.said(contact, contact, "TIDE", board.ago(minutes=7 * 24 * 60 - minutes))
    tones = [
        re.findall("win-[a-z]+", row(desk, board.conversation(one))) for one in ("ana", "bob", "cat", "dee")
    ]
    assert tones == [["win-good"], ["win-warn"], ["win-bad"], []]
