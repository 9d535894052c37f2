"""The inbox's pages: what they show and ask, whom they let in, with scripts and without."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from host.core import clock, db, storage
from host.core.backports.values import replace
from host.inbox import outcome
from host.inbox.list_positions import micros
from host.models.channels import ChannelAccount
from host.models.inbox import Attachment, ContactIdentity, Conversation, ConversationStatus, Message
from host.models.queue import OutboxEntry
from host.models.users import Role
from host.sdk.channel import ProviderProblem
from host.sdk.messages import InboundAttachment, MessageKind
from tests import helpers
from tests.inbox import desks, scenes, toys
from tests.inbox.desks import Desk

JSON = {"Accept": "application/json"}
KEY = "a-key-of-the-page"


@pytest.fixture
def desk(database: db.Database, data: Path) -> Desk:
    return desks.open_desk(data)


@pytest.fixture
def scene(desk: Desk) -> scenes.Scene:
    return scenes.Scene(desk)


def page(desk: Desk, rest: str = "", status: int = 200) -> str:
    response = desk.browser.get(desk.path(rest))
    assert response.status_code == status
    return str(response.text)


def ask(desk: Desk, rest: str) -> Any:
    response = desk.browser.get(desk.path(rest), headers=JSON)
    assert response.status_code == 200, response.text
    return response.json


def words(html: str) -> str:
    """The text of a page, without tags, white space collapsed."""
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def only_conversation() -> int:
    return int(toys.only(Conversation).id)


def test_an_inbox_nothing_can_arrive_in_says_what_to_do(desk: Desk) -> None:
    with db.current().write_engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM channel_accounts")
    assert "No channels connected yet." in page(desk)


def test_an_empty_inbox_says_so(desk: Desk) -> None:
    assert "No conversations yet." in page(desk)


def test_the_list_shows_who_wrote_what_and_how_long_we_may_answer(desk: Desk, scene: scenes.Scene) -> None:
    scene.said("ana", "Ana Q.", "Is it in stock?", scene.ago(hours=2))
    scene.said("olu", "Olu P.", "Thanks", scene.ago(days=9))
    scene.said("rosa", "Rosa S.", "Cracked", scene.ago(hours=45))
    text = words(page(desk))
    assert "Ana Q. @ana unread 21 h 59 min 2 h Is it in stock?" in text
    assert "Rosa S. @rosa unread 5 d 2 h 1 d" in text or "Rosa S. @rosa unread 5 d 2 h" in text
    assert "Window closed" in text


def test_the_list_shows_the_subject_and_never_calls_what_was_sent_not_sent(
    desk: Desk, scene: scenes.Scene
) -> None:
    """What was sent may not have arrived, and another message than the last may be the one."""
    scene.said("ana", "Ana Q.", "Is it in stock?", scene.ago(hours=2))
    with db.current().write_engine.begin() as connection:
        connection.exec_driver_sql("UPDATE conversations SET failed_count = 1, subject = 'Blue mugs'")
    text = words(page(desk))
    assert "1 not delivered Blue mugs Is it in stock?" in text
    assert "Not sent" not in text


def test_the_window_is_shown_where_it_matters(desk: Desk, scene: scenes.Scene) -> None:
    for contact, hours in (("ana", 2), ("bea", 22), ("cleo", 23.75), ("dora", 23.9)):
        scene.said(contact, contact, "hi", scene.ago(hours=hours))
    scene.reply("dora", "hello", scene.now)

    def chip(contact: str) -> str:
        row = page(desk).split(f'data-name="{contact}"')[1].split("</li>")[0]
        found = re.search(r'class="(win[^"]*)"[^>]*?( hidden)?>', row)
        return f"{found[1]}{found[2] or ''}" if found else ""

    assert [chip(one) for one in ("ana", "bea", "cleo", "dora")] == [
        "win hidden",
        "win win-warn",
        "win win-bad",
        "",
    ]


def test_filters_narrow_the_list(desk: Desk, scene: scenes.Scene) -> None:
    bo = helpers.make_user(name="Bo T.", workspace=desk.workspace).id
    for contact, to in (("ana", desk.mia.id), ("bea", bo), ("cleo", None)):
        scene.said(contact, contact.title(), "hi", scene.ago(hours=1))
        if to:
            scene.assign(contact, to, bo, scene.now)
    scene.said("dan", "Dan", "bye", scene.ago(hours=3))
    scene.close("dan", bo, scene.now)

    def names(rest: str) -> list[str]:
        return re.findall(r'data-name="([^"]+)"', page(desk, rest))

    assert sorted(names("")) == ["Ana", "Bea", "Cleo"]
    assert names("?view=mine") == ["Ana"]
    assert names("?view=unassigned") == ["Cleo"]
    assert names("?status=closed") == ["Dan"]
    assert names("?channel=email&view=mine") == ["Ana"]
    assert len(names("?channel=no-such-channel&view=nonsense&status=")) == 3
    left_out = "Unknown filters were ignored: "
    said = page(desk, "?channel=no-such-channel&view=nonsense&status=&all_labels=1,x&utm=y")
    assert f"{left_out}view=nonsense, channel=no-such-channel, all_labels=1,x." in said
    assert left_out not in page(
        desk, "?channel=email&view=all&status=open&handled_by=any&sort=newest&label=7"
    )
    views = desk.browser.get(f"/w/{desk.workspace}/inbox/views?status=closed&sort=best").text
    assert f"{left_out}sort=best." in views
    sidebar = words(page(desk))
    numbers = "Needs a reply 3 Mine 1 Unassigned 1 All 3 Mentions Not delivered 0 Status Open Closed 1"
    assert numbers in sidebar


def test_channel_filters_are_those_of_active_addons(desk: Desk) -> None:
    assert "channel=email" in page(desk)
    desk.generation.directory = type(desk.generation.directory)()
    assert "channel=email" not in page(desk)


def test_a_channel_that_is_off_is_said_once_above_the_list(desk: Desk, scene: scenes.Scene) -> None:
    for name in ("ana", "bo"):
        scene.said(name, name, "Is it in stock?", scene.ago(hours=2))
    assert "is not active" not in page(desk)
    desk.generation.directory = type(desk.generation.directory)()
    html = page(desk)
    assert html.count("is not active.") == 1
    assert "is not active." not in html.partition('data-part="list"')[2]
    assert "is not active." in ask(desk, f"/updates?rows={scene.conversation('ana')}")["off"]


def test_a_row_marks_nobody_and_the_chosen_status_has_no_second_number(
    desk: Desk, scene: scenes.Scene
) -> None:
    scene.said("ana", "Ana Q.", "Is it in stock?", scene.ago(hours=2))
    html = page(desk)
    (listed,) = re.findall(r'<ul class="convs".*?</ul>', html, re.S)
    assert "avatar-none" not in listed
    status = re.findall(r'<a class="filter filter-status".*?</a>', html, re.S)
    assert ['class="count"' in one for one in status] == [False, True], "open is chosen"


def test_a_conversation_of_an_inactive_channel_stays_readable(desk: Desk, scene: scenes.Scene) -> None:
    scene.said("ana", "Ana Q.", "Is it in stock?", scene.ago(hours=2))
    desk.generation.directory = type(desk.generation.directory)()
    text = words(page(desk, f"/{only_conversation()}"))
    assert "Is it in stock?" in text
    assert "This channel is not active." in text
    assert 'data-form="reply"' not in page(desk, f"/{only_conversation()}")
    refused = desk.browser.post_form(
        desk.path(f"/{only_conversation()}/reply"), text="my words", reply_key=KEY
    )
    assert refused.status_code == 409
    assert "The addon for this channel is not active" in refused.text


def test_the_list_goes_on_where_it_ended(desk: Desk) -> None:
    # Two of each share one moment, so that the place in the list is more than a time.
    changes = [
        toys.received(f"n{i}", at=i // 2, contact=f"c{i}", contact_name=f"C{i:03d}") for i in range(123)
    ]
    toys.apply(desk.account, *changes, adapter=toys.WINDOWED)
    first = page(desk)
    found = re.findall(r'data-name="([^"]+)"', first)
    place = re.search(r'data-more="([^"]+)"', first)
    assert place is not None
    assert re.findall(r'data-name="([^"]+)"', page(desk, f"?before={place[1]}"))[0] == "C072"
    more: str | None = place[1]
    while more is not None:
        answer = ask(desk, f"/list?before={more}")
        found += re.findall(r'data-name="([^"]+)"', answer["rows"])
        more = answer["more"]
    assert found == [f"C{i:03d}" for i in reversed(range(123))]


def test_the_thread_shows_every_state_of_a_reply(desk: Desk) -> None:
    scene = scenes.whole(desk)
    text = words(page(desk, f"/{scene.conversation('ana.sample')}"))
    for expected in (
        "Yesterday",
        "Photo Lobby does not load files from",
        "measurements.pdf",
        "Mentioned you in a story",
        "Not sent from Lobby",
        "Tapped a quick reply",
        "Bo T. assigned this to Mia R.",
        "Private note by Bo T.",
        "Seen",
        "Sent",
        "Not sent. It was outside the time in which the channel allows answers.",
        "It opens again when the customer writes.",
        "Retry",
        "10/2534022",
        "Toy did not confirm this.",
        "Check",
        "Send again",
        "Show error",
        "The channel allows no more messages from this account for now. About 2 min.",
        "Queued",
    ):
        assert expected in text, expected
    html = page(desk, f"/{scene.conversation('ana.sample')}")
    assert not re.search(r'src="https?://', html), "browsers ask nobody but us by themselves"
    assert "{&#34;" not in html


@pytest.mark.parametrize("kind", [*MessageKind, "something new"])
def test_every_kind_has_an_icon_and_a_plain_label(desk: Desk, scene: scenes.Scene, kind: str) -> None:
    content = {"payload": {"deep": "CONTENT-INSIDE"}, "event": "odd"}
    scene.said("ana", "Ana", "", scene.ago(hours=1), kind=kind, content=content)
    html = page(desk, f"/{only_conversation()}")
    assert "CONTENT-INSIDE" not in html
    message = html[html.index('data-message="') :]
    message = message[: message.index("</li>")]
    assert re.search(r"bubble-muted|class=\"story\"", message)
    assert re.search(r"<use href=\"#i-[a-z-]+\"/></svg>(</span>)?<span>(<b>)?[^<]{4,}<", message)
    assert re.match(r'.{0,600} aria-label="Ana: [^"]{4,}, \d\d:\d\d"', message, re.DOTALL)


def test_what_customers_write_is_text(desk: Desk, scene: scenes.Scene) -> None:
    evil = "<script>alert(1)</script> {{ 7*7 }} & \" ' \u202e"
    scene.said("<b>x", "<img src=x onerror=alert(1)>", evil, scene.ago(minutes=1), subject="<i>s")
    html = page(desk, f"/{only_conversation()}")
    assert "<script>alert" not in html
    assert "<img src=x" not in html
    assert "<i>s" not in html
    assert "{{ 7*7 }}" in html


def test_older_messages_are_a_page_away(desk: Desk) -> None:
    changes = [toys.received(f"number {i}.", at=i) for i in range(120)]
    toys.apply(desk.account, *changes, adapter=toys.WINDOWED)
    first = page(desk, f"/{only_conversation()}")
    assert "number 119." in first
    assert "number 69." not in first
    link = re.search(r'href="([^"]+before=[^"]+)"', first)
    assert link is not None
    second = desk.browser.get(link[1].replace("&amp;", "&")).text
    assert "number 69." in second
    assert "number 70." not in second
    assert "Back to the latest messages" in second
    place = re.search(r'data-earlier-than="([^"]+)"', first)
    assert place is not None
    answer = ask(desk, f"/{only_conversation()}/messages?before={place[1]}")
    assert "number 20." in answer["messages"]
    assert answer["earlier"] is not None
    answer = ask(desk, f"/{only_conversation()}/messages?before={answer['earlier']}")
    assert "number 0." in answer["messages"]
    assert answer["earlier"] is None


def test_the_number_of_questions_does_not_grow(database: db.Database, desk: Desk) -> None:
    with clock.travel(toys.START + timedelta(hours=1) - clock.now()):  # the reply window is open
        desk.sign_in()

        def fill(contacts: range) -> None:
            toys.apply(
                desk.account,
                *(toys.received(f"n{i}", at=i, contact=f"c{i}") for i in contacts),
                *(toys.echoed(f"e{i}", at=i, contact=f"c{i}") for i in contacts),
                adapter=toys.WINDOWED,
            )

        def questions(rest: str) -> int:
            with toys.Statements(database) as asked:
                page(desk, rest)
            return len(asked.seen)

        fill(range(3))
        first = toys.everything(Conversation)[0].id
        toys.apply(desk.account, toys.received("x", contact="c0", external_id="x0"))
        opened = f"&conversation={first}&messages=1&head=1&composer=1&here=1"
        paths = ("", "/list", f"/{first}", f"/{first}/thread", f"/updates?rows={first}{opened}")
        few = [questions(path) for path in paths]
        fill(range(3, 303))
        toys.apply(desk.account, *(toys.received("more", at=1000 + i, contact="c0") for i in range(60)))
        assert [questions(path) for path in paths] == few
        assert few == [12, 4, 21, 14, 19]
        # One that is not among the first of the list is read by itself.
        assert questions(f"/{toys.everything(Conversation)[1].id}") == 23


def test_every_database_shows_the_same(any_database: db.Database, data: Path) -> None:
    desk = desks.open_desk(data)
    scene = scenes.whole(desk)
    ana = scene.conversation("ana.sample")
    for rest in ("", "?view=mine&channel=email", f"/{ana}", f"/updates?rows={ana}&conversation={ana}&head=1"):
        assert "Ana Q." in page(desk, rest)
    found = words(page(desk, f"/{ana}"))
    assert "Toy did not confirm this." in found
    assert "Mine 2 Unassigned 3 All 6 Mentions Not delivered 1 Status Open Closed 1" in found
    first = toys.thread(ana)[0]
    before = ask(desk, f"/{ana}/messages?before={micros(first.sent_at)}-{first.id}")
    assert before["messages"].strip() == ""
    desk.browser.post_form(desk.path(f"/{ana}/read"), until=str(first.id))


# Who gets in


PATHS = (
    "",
    "/{id}",
    "/list",
    "/updates?rows={id}&conversation={id}&messages=1&head=1&composer=1&here=1",
    "/{id}/messages",
    "/{id}/thread",
)
POSTS = (
    "/{id}/reply",
    "/{id}/note",
    "/{id}/assign",
    "/{id}/close",
    "/{id}/reopen",
    "/{id}/take",
    "/{id}/read",
    "/{id}/unread",
    "/{id}/presence",
    "/{id}/overflow",
    "/{id}/messages/1/retry",
    "/{id}/messages/1/check",
    "/{id}/messages/1/send_again",
    "/{id}/messages/1/send_anyway",
    "/{id}/messages/1/cancel",
    "/{id}/messages/1/edit",
)


def test_strangers_are_sent_to_the_login(desk: Desk, scene: scenes.Scene) -> None:
    scene.said("ana", "Ana", "hi", scene.now)
    stranger = helpers.browser(desk.app)
    for rest in PATHS:
        assert stranger.get(desk.path(rest.format(id=only_conversation()))).status_code == 302
    for rest in POSTS:
        path = desk.path(rest.format(id=only_conversation()))
        assert stranger.post_form(path, text="x", until="1").status_code == 302


def test_other_workspaces_see_nothing(desk: Desk, scene: scenes.Scene) -> None:
    scene.said("ana", "Ana", "SECRET", scene.now)
    other = helpers.make_workspace("Other")
    eve = helpers.client_for(desk.app, helpers.make_user(workspace=other))
    id_ = only_conversation()
    for rest in PATHS:
        assert eve.get(desk.path(rest.format(id=id_))).status_code == 404
    for rest in POSTS:
        assert eve.post_form(desk.path(rest.format(id=id_)), text="x").status_code == 404
    # Through their own workspace, with an id of ours.
    own = f"/w/{other}/inbox"
    for rest in PATHS:
        response = eve.get(own + rest.format(id=id_))
        assert "SECRET" not in response.text
        assert response.status_code == (404 if rest.startswith("/{id}") else 200)
    for rest in POSTS:
        fields = {"text": "x", "reply_key": KEY, "until": "1", "assignee": ""}
        assert eve.post_form(own + rest.format(id=id_), **fields).status_code == 404, rest
    assert len(toys.everything(Message)) == 1


def test_forms_without_their_token_do_nothing(desk: Desk, scene: scenes.Scene) -> None:
    scene.said("ana", "Ana", "hi", scene.now)
    for rest in POSTS:
        response = desk.browser.post(desk.path(rest.format(id=only_conversation())), data={"text": "x"})
        assert response.status_code == 400
    assert len(toys.everything(Message)) == 1


@pytest.mark.parametrize(
    "rest",
    [
        "?before=nonsense",
        "?before=1-2-3",
        "?before=9999999999999999999-1",
        "?before=-9223372036854775807-1",
        "/updates?rows=1,x",
        "/updates?rows=" + ",".join("1" * 300),
        "/updates?rows=99999999999999999999",
        "/list?before=%F0%9F%99%82",
    ],
)
def test_a_bad_address_is_the_callers_fault(desk: Desk, rest: str) -> None:
    assert desk.browser.get(desk.path(rest)).status_code == 400


@pytest.mark.parametrize("fields", [{"until": "x"}, {"until": "1" * 30}, {"until": "-1"}])
def test_a_bad_form_is_the_callers_fault(desk: Desk, scene: scenes.Scene, fields: dict[str, str]) -> None:
    scene.said("ana", "Ana", "hi", scene.now)
    assert desk.browser.post_form(desk.path(f"/{only_conversation()}/read"), **fields).status_code == 400


# Acting, without scripts and with


def test_a_reply_by_plain_form(desk: Desk, scene: scenes.Scene) -> None:
    scene.said("ana", "Ana", "hi", scene.now)
    id_ = only_conversation()
    html = page(desk, f"/{id_}")
    key = re.search(r'name="reply_key" value="([^"]+)"', html)
    assert key is not None
    path = desk.path(f"/{id_}/reply")
    for _ in range(2):  # the same form twice
        response = desk.browser.post_form(path, text="Yes\r\nwe do", reply_key=key[1])
        assert response.status_code == 303
        assert response.headers["Location"] == desk.path(f"/{id_}")
    assert len(toys.everything(OutboxEntry)) == 1
    assert "Yes\nwe do" in page(desk, f"/{id_}")
    assert toys.only(Conversation).unread_count == 0


def test_a_reply_that_is_refused_keeps_its_text(desk: Desk, scene: scenes.Scene) -> None:
    scene.said("olu", "Olu P.", "Thanks", scene.ago(days=9))
    path = desk.path(f"/{only_conversation()}/reply")
    response = desk.browser.post_form(path, text="  ", reply_key=KEY)
    assert response.status_code == 400
    scene.said("rosa", "Rosa S.", "Cracked", scene.ago(hours=45))
    rosa = desk.path(f"/{scene.conversation('rosa')}/reply")
    response = desk.browser.post_form(rosa, text="<my words> " * 3000, reply_key=KEY)
    assert response.status_code == 400
    assert "&lt;my words&gt;" in response.text
    assert "Nothing was sent" in response.text


def test_a_closed_window_holds_on_the_server(desk: Desk, scene: scenes.Scene) -> None:
    scene.said("olu", "Olu P.", "Thanks", scene.ago(days=9))
    path = desk.path(f"/{only_conversation()}/reply")
    response = desk.browser.post_form(path, text="hello?", reply_key=KEY)
    assert response.status_code == 409
    assert "7 days" in response.text
    assert toys.everything(OutboxEntry) == []
    # What was written is not lost with its field.
    assert "Your draft can’t be sent here now." in words(response.text)
    assert ">hello?</textarea>" in response.text


def test_who_never_wrote_cannot_be_written_to_and_the_composer_says_so(
    desk: Desk, scene: scenes.Scene
) -> None:
    scene.echo("olu", "We sent you this from our phone.", scene.ago(minutes=5))
    shown = words(page(desk, f"/{only_conversation()}"))
    assert "You cannot reply here right now. Only the customer can start a conversation." in shown
    path = desk.path(f"/{only_conversation()}/reply")
    response = desk.browser.post_form(path, text="hello?", reply_key=KEY)
    assert (response.status_code, toys.everything(OutboxEntry)) == (409, [])
    assert "Only the customer can start a conversation." in words(response.text)


def test_the_same_by_script(desk: Desk, scene: scenes.Scene) -> None:
    scene.said("ana", "Ana", "hi", scene.now)
    path = desk.path(f"/{only_conversation()}/reply")

    def send(**fields: str) -> Any:
        return desk.browser.post(path, data={"csrf_token": desk.browser.csrf(), **fields}, headers=JSON)

    sent = send(text="x" * 1500, reply_key=KEY)
    assert sent.status_code == 200
    assert sent.json["messages"].count("data-message=") == 2
    assert "Part 1 of 2" in words(sent.json["messages"])
    assert sent.json["reply_key"] != KEY
    again = send(text="something else", reply_key=KEY)
    assert (again.status_code, again.json["error"]["code"]) == (409, "already_sent")
    assert len(again.json["reply_key"]) == 32
    empty = send(text=" ", reply_key=KEY + "2")
    assert (empty.status_code, empty.json["error"]["message"]) == (
        400,
        "The text is empty, so nothing was sent.",
    )
    bad = send(text="x" * 1500, reply_key=KEY + "3", overflow="nonsense")
    assert bad.status_code == 400


def test_what_a_long_text_would_become(desk: Desk, scene: scenes.Scene) -> None:
    scene.said("ana", "Ana", "hi", scene.now)
    path = desk.path(f"/{only_conversation()}/overflow")

    def preview(text: str) -> Any:
        fields = {"csrf_token": desk.browser.csrf(), "text": text}
        return desk.browser.post(path, data=fields, headers=JSON).json

    assert preview("x" * 1000 + "\r\n") == {"html": "", "count": 1}
    answer = preview("x" * 1001)
    assert answer["count"] == 2
    assert "1 of 2" in answer["html"]
    assert '<s class="cut">x</s>' in answer["html"]


def test_an_account_set_to_cut_cuts_unless_the_agent_chooses(desk: Desk, scene: scenes.Scene) -> None:
    scene.said("ana", "Ana", "hi", scene.now)
    with db.current().write_engine.begin() as connection:
        connection.execute(sa.update(ChannelAccount).values(settings={"overflow": "truncate"}))
    path = desk.path(f"/{only_conversation()}")
    offered = desk.browser.post_form(path + "/overflow", text="word " * 400).json["html"]
    assert re.search(r'value="truncate"[^>]*checked', offered)
    for key, choice in (("cut", {}), ("split", {"overflow": "split"})):
        sent = desk.browser.post_form(path + "/reply", text="word " * 400, reply_key=KEY + key, **choice)
        assert sent.status_code == 303
    with db.read() as session:
        replies = session.scalars(sa.select(Message.reply_key).where(Message.direction == "outbound")).all()
    assert (replies.count(KEY + "cut"), replies.count(KEY + "split")) == (1, 2)


def test_notes_assigning_closing_and_reopening(desk: Desk, scene: scenes.Scene) -> None:
    scene.said("ana", "Ana", "hi", scene.now)
    base = desk.path(f"/{only_conversation()}")
    assert desk.browser.post_form(base + "/note", text="psst", reply_key=KEY).status_code == 303
    assert desk.browser.post_form(base + "/assign", assignee=str(desk.mia.id)).status_code == 303
    assert desk.browser.post_form(base + "/close?view=mine").headers["Location"].endswith("?view=mine")
    assert toys.only(Conversation).status == "closed"
    assert desk.browser.post_form(base + "/reopen").status_code == 303
    assert desk.browser.post_form(base + "/assign", assignee="").status_code == 303
    assert desk.browser.post_form(base + "/assign", assignee="999").status_code == 400
    text = words(page(desk, f"/{only_conversation()}"))
    for expected in ("Private note by Mia R.", "took over this conversation", "closed this", "reopened this"):
        assert expected in text
    assert toys.everything(OutboxEntry) == []


def test_what_waits_can_be_cancelled_and_edited(desk: Desk, scene: scenes.Scene) -> None:
    scene.said("ana", "Ana", "hi", scene.now)
    first, second = scene.reply("ana", "one", scene.now)[0], scene.reply("ana", "two", scene.now)[0]
    db.write(outcome.record_waiting, second, {"sentence": "It waits for a limit.", "until": None})
    shown = page(desk, f"/{only_conversation()}")
    base = desk.path(f"/{only_conversation()}/messages")
    for message in (first, second):
        assert f'data-edit="{base}/{message}/edit"' in shown
        assert f'action="{base}/{message}/cancel"' in shown
    assert "Send anyway" not in words(shown)
    assert desk.browser.post_form(f"{base}/{first}/cancel").status_code == 303
    assert desk.browser.post_form(f"{base}/{second}/edit", text=" two and a half ").status_code == 303
    thread = [(m.text, m.state) for m in toys.thread() if m.direction == "outbound"]
    assert thread == [("one", "cancelled"), ("two and a half", "queued")]
    assert "Canceled" in words(page(desk, f"/{only_conversation()}"))
    # Too late, or too much: said, and nothing changes.
    for message, text, status in ((first, "x", 409), (second, " ", 400), (second, "x" * 2000, 400)):
        form = {"csrf_token": desk.browser.csrf(), "text": text}
        answer = desk.browser.post(f"{base}/{message}/edit", data=form, headers=JSON)
        assert answer.status_code == status
    assert [m.text for m in toys.thread() if m.direction == "outbound"] == ["one", "two and a half"]
    assert toys.only(Conversation).last_preview == "two and a half"


def test_a_part_behind_one_that_failed_says_so_and_can_be_sent_anyway(
    desk: Desk, scene: scenes.Scene
) -> None:
    scene.said("ana", "Ana", "hi", scene.now)
    first, second = scene.reply("ana", "a " * 700, scene.now)
    db.write(outcome.record_failed, first, ProviderProblem("1", "No."))
    db.write(outcome.hold_rest, first)
    shown = words(page(desk, f"/{only_conversation()}"))
    assert outcome.PART_BEFORE_FAILED in shown
    assert "Send anyway" in shown
    base = desk.path(f"/{only_conversation()}/messages")
    assert desk.browser.post_form(f"{base}/{second}/send_anyway").status_code == 303
    assert toys.everything(OutboxEntry)[1].open
    assert outcome.PART_BEFORE_FAILED not in words(page(desk, f"/{only_conversation()}"))


def test_failed_and_unconfirmed_replies_can_be_sent_again(desk: Desk, scene: scenes.Scene) -> None:
    scene.said("ana", "Ana", "hi", scene.now)
    failed, unknown = scene.reply("ana", "one", scene.now)[0], scene.reply("ana", "two", scene.now)[0]
    problem = ProviderProblem("1", "No.")
    db.write(outcome.record_failed, failed, problem)
    db.write(outcome.record_unknown, unknown, problem)
    base = desk.path(f"/{only_conversation()}/messages")
    assert desk.browser.post_form(f"{base}/{failed}/retry").status_code == 303
    assert desk.browser.post_form(f"{base}/{unknown}/check").status_code == 303
    assert desk.browser.post_form(f"{base}/{unknown}/send_again").status_code == 303
    assert [m.state for m in toys.thread() if m.direction == "outbound"] == ["queued", "queued"]
    assert toys.only(Conversation).failed_count == 0
    # A second click comes too late, and says so.
    late = desk.browser.post_form(f"{base}/{failed}/retry")
    assert late.status_code == 303
    assert "has changed in the meantime" in desk.browser.get(late.headers["Location"]).text
    assert desk.browser.post_form(f"{base}/999/retry").status_code == 404


def test_looking_is_told_to_the_team(desk: Desk, scene: scenes.Scene) -> None:
    scene.said("ana", "Ana", "one", scene.ago(minutes=2))
    scene.said("ana", "Ana", "two", scene.ago(minutes=1))
    first = toys.thread()[0].id
    base = desk.path(f"/{only_conversation()}")
    desk.browser.post_form(base + "/read", until=str(first))
    assert toys.only(Conversation).unread_count == 1
    assert desk.browser.get(base).status_code == 200
    assert toys.only(Conversation).unread_count == 1  # reading a page changes nothing by itself


def test_only_what_a_customer_wrote_is_announced(desk: Desk, scene: scenes.Scene) -> None:
    for contact in ("ana", "bo", "cy"):
        scene.said(contact, contact.title(), "hello", scene.ago(minutes=1))
    ana, bo, cy = (scene.conversation(contact) for contact in ("ana", "bo", "cy"))
    scene.note("ana", "For the team", clock.now(), desk.mia.id)
    scene.assign("cy", desk.mia.id, desk.mia.id, clock.now())
    new = [message.id for one in (ana, cy) for message in toys.thread(one)[1:]]
    assert len(new) == 2, "a note, and a line about what was done"
    hello = toys.thread(bo)[0].id
    answer = ask(desk, f"/updates?rows={ana},{bo},{cy}&said={','.join(map(str, [*new, hello]))}")
    assert answer["names"] == {str(bo): "Bo: hello"}


def test_fragments_of_what_changed(desk: Desk, scene: scenes.Scene) -> None:
    scene.said("ana", "Ana", "one", scene.ago(minutes=2))
    scene.said("bo", "Bo", "hello", scene.ago(minutes=1))
    ana, bo = scene.conversation("ana"), scene.conversation("bo")
    message = toys.thread(ana)[0].id
    scene.assign("bo", desk.mia.id, desk.mia.id, clock.now())
    answer = ask(desk, f"/updates?rows={ana},{bo},999&conversation={ana}&messages={message},{message + 1}")
    assert answer["news"] == {"unread": 0, "own": 1}, "what nobody has is not one's own"
    assert answer["names"] == {}, "a row that changed is no new message"
    assert answer["rows"]["999"] is None
    assert "aria-current" not in answer["rows"][str(ana)]  # the browser knows what is open by then
    assert answer["messages"].count("data-message=") == 1  # the other one is not of this conversation
    scene.close("ana", desk.mia.id, clock.now())
    answer = ask(desk, f"/updates?rows={ana}&conversation={ana}&head=1&composer=1")
    assert answer["rows"][str(ana)] is None
    assert "Reopen" in answer["head"]
    assert "data-composer" in answer["composer"]


def test_an_account_that_needs_reconnecting_is_named(desk: Desk, scene: scenes.Scene) -> None:
    scene.said("ana", "Ana", "one", scene.now)
    toys.change_row(ChannelAccount, desk.account.id, state="needs_reconnect")
    html = page(desk, f"/{only_conversation()}")
    assert html.count("Replies are on hold.") == 1
    mends = f'channels?account={desk.account.id}#account-{desk.account.id}"'
    assert mends not in html, "an agent can't reconnect it"
    assert "An owner needs to reconnect the account." in html
    owner = helpers.make_user(workspace=desk.workspace, role=Role.OWNER)
    assert mends in helpers.client_for(desk.app, owner).get(desk.path(f"/{only_conversation()}")).text
    toys.change_row(ChannelAccount, desk.account.id, state="disconnected")
    html = page(desk, f"/{only_conversation()}")
    assert "The account is disconnected." in html
    assert 'data-form="reply"' not in html


@pytest.mark.parametrize(
    ("asked", "in_list", "in_conversation"),
    [
        ("", "list", "thread"),
        ("filters", "filters", "filters"),
        ("contact", "list", "contact"),
        ("x", "list", "thread"),
    ],
)
def test_a_small_screen_shows_the_pane_that_is_asked_for(
    desk: Desk, scene: scenes.Scene, asked: str, in_list: str, in_conversation: str
) -> None:
    scene.said("ana", "Ana Q.", "Hello", scene.now)
    for path, pane in (("", in_list), (f"/{scene.conversation('ana')}", in_conversation)):
        shown = re.search(r"panes panes-(\w+)", page(desk, f"{path}?pane={asked}"))
        assert shown is not None
        assert shown[1] == pane


def test_the_contact_pane_shows_the_id_and_other_conversations(desk: Desk, scene: scenes.Scene) -> None:
    scene.said("1026000000000001", "Ana Q.", "one", scene.ago(days=1), contact_email="ana@example.com")
    first = toys.only(Conversation)
    second = {c.name: getattr(first, c.name) for c in Conversation.__table__.columns}
    second |= {"id": 77, "last_preview": "Chipped saucer"}
    with db.current().write_engine.begin() as connection:
        connection.execute(Conversation.__table__.insert(), second)  # type: ignore[attr-defined]
    text = words(page(desk, f"/{first.id}"))
    assert "Toy ID 1026000000000001" in text
    assert "First seen" in text
    assert "ana@example.com" in text
    assert "Other conversations" in text
    assert "Chipped saucer" in text


def test_the_contact_pane_shows_what_the_provider_tells(desk: Desk, scene: scenes.Scene) -> None:
    class Named(toys.Windowed):
        contact_id_name = "toy_id"

        def profile_url(self, username: str) -> str | None:
            return f"https://toys.example/{username}"

    desk.generation.directory = type(desk.generation.directory)((Named(),))
    came = {"referral": {"ad_id": 1, "ads_context_data": {"ad_title": "Autumn glazes"}}}
    scene.said("ana.sample", "Ana Q.", "one", scene.ago(days=1), content=came)
    scene.said("ana.sample", "", "two", scene.ago(hours=1))
    facts = {"verified": True, "followers": 1842, "follows_us": True, "we_follow": False}
    toys.change_row(ContactIdentity, 1, profile=facts)
    html = page(desk, f"/{only_conversation()}")
    text = words(html[html.index('id="contact"') :])
    for expected in (
        "@ana.sample",
        "Verified",
        "Follows you",
        "1,842 followers",
        "2 messages",
        "Came from Came from your ad “Autumn glazes”",
        "Toy ID ana.sample",
    ):
        assert expected in text, expected
    assert "you follow back" not in text
    assert html.count('href="https://toys.example/ana.sample"') == 2


@pytest.mark.parametrize(
    ("them", "us", "said"),
    [
        (True, True, "Follows you, you follow back"),
        (True, False, "Follows you"),
        (True, None, "Follows you"),
        (False, True, "You follow them"),
        (False, None, "Does not follow"),
    ],
)
def test_who_follows_whom_stands_in_the_pane_and_on_the_page(
    desk: Desk, scene: scenes.Scene, them: bool, us: bool | None, said: str
) -> None:
    scene.said("ana", "Ana Q.", "one", scene.ago(days=1))
    toys.change_row(ContactIdentity, 1, profile={"follows_us": them, "we_follow": us})
    html = page(desk, f"/{only_conversation()}")
    assert f">{said}</li>" in html[html.index('id="contact"') :]
    assert said in words(desk.browser.get(f"/w/{desk.workspace}/contacts/1").text)


def test_the_pane_lists_five_other_conversations_and_leads_to_all(desk: Desk, scene: scenes.Scene) -> None:
    scene.said("ana", "Ana Q.", "The first of all", scene.ago(days=30))
    first = toys.only(Conversation)
    assert isinstance(first, Conversation)
    for number in range(6):
        values = {column.name: getattr(first, column.key) for column in Conversation.__table__.columns}
        at = scene.ago(days=6 - number)
        values |= {"id": first.id + 1 + number, "last_preview": f"Talk {number}", "last_message_at": at}
        values |= {"status": ConversationStatus.CLOSED if number else ConversationStatus.OPEN}
        with db.current().write_engine.begin() as connection:
            connection.execute(Conversation.__table__.insert(), values)  # type: ignore[attr-defined]
    html = page(desk, f"/{first.id}")
    pane = html[html.index('id="contact"') :]
    others = pane[pane.index("Other conversations") : pane.index("Details")]
    assert words(others).startswith("Other conversations 5+ All")
    assert [f"Talk {number}" in others for number in range(6)] == [False, *[True] * 5]
    assert f"/w/{desk.workspace}/contacts/1?show=conversations" in others


@pytest.mark.parametrize(
    "facts", [{}, {"followers": "many", "verified": "yes"}, {"followers": -1}, {"x": []}]
)
def test_odd_facts_about_a_contact_are_left_out(
    desk: Desk, scene: scenes.Scene, facts: dict[str, Any]
) -> None:
    scene.said("ana", "Ana Q.", "one", scene.ago(days=1))
    toys.change_row(ContactIdentity, 1, profile=facts)
    text = words(page(desk, f"/{only_conversation()}"))
    assert "followers" not in text
    assert "Verified" not in text
    assert "ollow" not in text


# Files


@pytest.fixture
def kept(desk: Desk, scene: scenes.Scene, data: Path) -> Attachment:
    storage.use(storage.FolderStore(data / "files"))
    key = storage.store(b"<script>alert(1)</script>")
    file = InboundAttachment(
        MessageKind.FILE, content=b"x", name="..\\Überschrift\r\n.html", content_type="text/html"
    )
    change = toys.received("", kind=MessageKind.FILE, attachments=(file,))
    from host.inbox.apply.changes import apply_changes

    db.write(apply_changes, [toys.incoming(desk.account, change, stored={0: key})])
    found = toys.only(Attachment)
    assert isinstance(found, Attachment)
    return found


def test_a_file_is_downloaded_and_never_run(desk: Desk, kept: Attachment) -> None:
    path = f"/w/{desk.workspace}/media/{kept.id}"
    assert path in page(desk, f"/{only_conversation()}")
    for query in ("", "?download=1"):
        response = desk.browser.get(path + query)
        assert response.status_code == 200
        assert response.data == b"<script>alert(1)</script>"
        assert response.mimetype == "application/octet-stream"
        assert response.headers["Content-Security-Policy"].startswith("sandbox; default-src 'none'")
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Content-Disposition"] == (
            "attachment; filename=_berschrift.html; filename*=UTF-8''%C3%9Cberschrift.html"
        )


def test_a_picture_may_be_shown(desk: Desk, kept: Attachment) -> None:
    toys.change_row(Attachment, kept.id, content_type="image/png", name="mug.png")
    path = f"/w/{desk.workspace}/media/{kept.id}"
    shown = desk.browser.get(path)
    assert (shown.mimetype, shown.headers["Content-Disposition"]) == ("image/png", "inline; filename=mug.png")
    saved = desk.browser.get(f"{path}?download=1")
    assert saved.headers["Content-Disposition"] == "attachment; filename=mug.png"


def test_files_of_others_do_not_exist(desk: Desk, kept: Attachment) -> None:
    other = helpers.make_workspace("Other")
    eve = helpers.client_for(desk.app, helpers.make_user(workspace=other))
    assert eve.get(f"/w/{desk.workspace}/media/{kept.id}").status_code == 404
    assert eve.get(f"/w/{other}/media/{kept.id}").status_code == 404
    assert helpers.browser(desk.app).get(f"/w/{desk.workspace}/media/{kept.id}").status_code == 302
    toys.change_row(Attachment, kept.id, storage_key=None, state="linked", url="https://cdn.example/x")
    assert desk.browser.get(f"/w/{desk.workspace}/media/{kept.id}").status_code == 404


def test_times_are_the_readers(desk: Desk, scene: scenes.Scene) -> None:
    at = clock.now().replace(hour=12, minute=34) - timedelta(days=2)
    scene.said("ana", "Ana", "hi", at)
    desk.browser.set_cookie("lobby-zone", "Asia/Tokyo")
    assert "21:34" in page(desk, f"/{only_conversation()}")
    assert json.dumps("12:34") not in page(desk, f"/{only_conversation()}")


def test_a_conversation_another_app_has_is_taken_with_a_button(
    desk: Desk, scene: scenes.Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    adapter = desk.generation.directory.adapters[0]
    taken: list[str] = []
    monkeypatch.setattr(
        type(adapter), "capabilities", replace(adapter.capabilities, thread_control=True), raising=False
    )
    monkeypatch.setattr(
        type(adapter), "take_thread", lambda _self, _account, contact, _note: taken.append(contact)
    )
    scene.said("ana", "Ana", "hi", scene.ago(minutes=5))
    path = desk.path(f"/{only_conversation()}")
    assert "Another app is handling" not in words(page(desk, f"/{only_conversation()}"))
    scene.said("ana", "Ana", "Anybody?", scene.now, content={"standby": True})
    assert "Another app is handling this conversation." in words(page(desk, f"/{only_conversation()}"))
    assert desk.browser.post_form(f"{path}/take").status_code == 303
    assert taken == ["ana"]
    shown = words(page(desk, f"/{only_conversation()}"))
    assert "Another app is handling" not in shown
    assert "took this over from another app" in shown
    no = ProviderProblem("10", "It was not handed over.", "Ask them.")
    monkeypatch.setattr(type(adapter), "take_thread", lambda *_given: no)
    assert desk.browser.post_form(f"{path}/take").status_code == 303
    assert "It was not handed over." in words(page(desk, f"/{only_conversation()}"))
    form = {"csrf_token": desk.browser.csrf()}
    assert desk.browser.post(f"{path}/take", data=form, headers=JSON).status_code == 502
