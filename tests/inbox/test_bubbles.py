"""What each kind of message looks like, and that nothing a provider or a customer writes breaks a bubble."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, event, example, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from host.channels import button_payloads
from host.core import db
from host.core.backports.values import replace
from host.inbox import queries
from host.inbox.apply.changes import apply_changes
from host.inbox.messages import Entry, File, load_thread
from host.inbox.pages import message_content, message_view, text_view
from host.inbox.pages.message_view import BubbleContext
from host.models.inbox import Message, Reaction
from host.sdk.capabilities import Capabilities
from host.sdk.messages import (
    ConversationHandedOver,
    Handover,
    InboundAttachment,
    MessageKind,
    Program,
    Who,
)
from tests.helpers import do
from tests.inbox import desks, scenes, toys
from tests.inbox.custom import POLL, Poll
from tests.inbox.desks import Desk
from tests.inbox.test_pages import only_conversation, page, words


@pytest.fixture
def desk(database: db.Database, data: Path) -> Desk:
    return desks.open_desk(data)


@pytest.fixture
def scene(desk: Desk) -> scenes.Scene:
    return scenes.Scene(desk)


# Links


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("See https://shop.example/mugs?ref=1.", "See [shop.example/mugs]."),
        ("(https://shop.example/a_(b))", "([shop.example/a_(b)])"),
        ("www.shop.example, please", "[shop.example], please"),
        ("HTTPS://SHOP.EXAMPLE/", "[shop.example]"),
        ("https://bank.example@evil.example/x", "https://bank.example@evil.example/x"),
        ("https://пример.example/щ", "[xn--e1afmkfd.example/щ]"),
        ("https://", "https://"),
        ("https://[", "https://["),
        ("https://a:99999999/", "https://a:99999999/"),
        ("javascript:alert(1)", "javascript:alert(1)"),
        ("mail me@www.shop.example", "mail me@www.shop.example"),
        ("https://shop.example/%E2%80%AEgpj.exe", "[shop.example/gpj.exe]"),
        ("https://a.example/" + "x" * 80, "[a.example/" + "x" * 37 + "…]"),
        ("“https://a.example”", "“[a.example]”"),
        ("no link here", "no link here"),
        ("", ""),
    ],
)
def test_links_show_where_they_lead(text: str, expected: str) -> None:
    shown = "".join(f"[{span.text}]" if span.href else span.text for span in text_view.spans(text))
    assert shown == expected


PIECES = st.sampled_from(["https://", "HTTP://", "www.", "shop.example", "/mugs", "?ref=1", ":80", "a@", " "])
WRITTEN = st.lists(PIECES | st.text(alphabet="htps:/w.@ab?#[]()%\u202eé\n ", max_size=5), max_size=30)


def test_a_link_always_has_a_text() -> None:
    assert [span.text for span in text_view.spans("See www.?ref=1")] == ["See ", "www."]


@given(WRITTEN.map("".join))
@example("See https://shop.example/mugs?ref=1, or (www.shop.example/a_(b)).")
@example("https://https://https:////https://")
def test_no_text_breaks_the_links(text: str) -> None:
    found = text_view.spans(text)
    event("with links" if any(span.href for span in found) else "without links")
    left = text
    for span in found:
        assert span.text
        if span.href:
            assert "://" not in span.text
            address = urlsplit(span.href)
            assert address.scheme.lower() in {"http", "https"}
            assert address.hostname
            assert "@" not in address.netloc
        written = span.href or span.text
        if not left.startswith(written):
            written = written.removeprefix("https://")
        assert left.startswith(written), "nothing of the text is lost, and nothing comes to it"
        left = left[len(written) :]
    assert left == ""


# Content of any shape

ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    *("latitude", "longitude", "name", "address", "phones", "items", "quantity"),
                    "type",
                    "payload",
                    "url",
                    "title",
                    "elements",
                    "generic",
                    "buttons",
                    "product",
                    "id",
                    "ad_id",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
CONTENT = st.dictionaries(
    st.sampled_from(
        [
            *("shared", "referral", "template", "elements", "quick_replies", "story", "payload", "event"),
            *("raw", "location", "contacts", "order"),
        ]
    ),
    ANY,
    max_size=5,
)


def entry(kind: str, content: Any, text: str = "", files: tuple[File, ...] = ()) -> Entry:
    at = toys.START
    return Entry(
        1, 1, 1, "m1", "inbound", "customer", kind, text, content, sent_at=at, created_at=at, files=files
    )


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(kind=st.sampled_from([*MessageKind, "new"]), content=CONTENT)
@example("share", {"shared": [{"payload": {"url": "https://a.example/", "title": "A lamp"}}]})
@example("share", {"shared": [{"payload": {"url": "javascript:alert(1)", "title": "A lamp"}}]})
def test_content_of_any_shape_makes_a_bubble(desk: Desk, kind: str, content: Any) -> None:
    with desk.app.test_request_context("/"):
        made = message_view.bubble(entry(str(kind), content), BubbleContext(1, 1, "Ana", "Toy"))
    assert made.label
    event("with cards" if made.cards else "without cards")
    for card in made.cards:
        assert card.title or card.href or card.rows or "Lobby cannot show yet" in card.what
        assert not card.href or urlsplit(card.href).scheme in {"http", "https"}


@pytest.mark.parametrize(("cut", "said"), [(None, ""), (30 * 1024 * 1024, "30 MB"), ("30", ""), (True, "")])
def test_a_message_whose_rest_was_not_kept_says_so(desk: Desk, cut: object, said: str) -> None:
    with desk.app.test_request_context("/"):
        made = message_view.bubble(entry("text", {"cut": cut}), BubbleContext(1, 1, "Ana", "Toy"))
    assert bool(made.cut) is bool(said)
    assert said in made.cut


def test_the_page_says_that_the_rest_of_a_message_was_not_kept(desk: Desk, scene: scenes.Scene) -> None:
    scene.said("ana", "Ana Q.", "The drawings", scene.ago(minutes=1))
    db.write(lambda session: session.execute(sa.update(Message).values(content={"cut": 30 * 1024 * 1024})))
    assert "This message has 30 MB, more than Lobby keeps." in words(page(desk, f"/{only_conversation()}"))


@given(content=CONTENT)
@example({"shared": [{"title": "x" * 300}] * 30, "template": {"elements": [{"title": "y" * 300}] * 30}})
@example({"quick_replies": [{"title": "z" * 300}, {"title": 7}, "w"]})
def test_what_is_read_is_short(content: Any) -> None:
    assert len(message_content.shared(content)) <= message_content.MOST
    assert all(len(slide.title) <= message_content.SHORT for slide in message_content.slides(content))
    assert all(isinstance(title, str) for title in message_content.offered(content))


@pytest.mark.parametrize(("name", "label"), [("song.mp3", "Audio"), ("", "Voice message")])
def test_a_recording_with_a_name_is_a_file_somebody_has(desk: Desk, name: str, label: str) -> None:
    sound = File(1, "audio", name, "audio/mpeg", 1000, "stored")
    with desk.app.test_request_context("/"):
        made = message_view.bubble(entry("audio", {}, files=(sound,)), BubbleContext(1, 1, "Ana", "Toy"))
    assert made.label == label


def test_what_one_side_says_within_minutes_stands_together(desk: Desk, scene: scenes.Scene) -> None:
    ago, mia = scene.ago, desk.mia.id
    for text, minutes in (("One", 30.0), ("Two", 29.0), ("Three", 24.0), ("Four", 19.1)):
        scene.said("ana", "Ana Q.", text, ago(minutes=minutes))
    scene.note("ana", "Five", ago(minutes=19), mia)
    scene.note("ana", "Six", ago(minutes=18.9), mia)
    scene.said("ana", "Ana Q.", "Seven", ago(minutes=18.8))
    scene.echo("ana", "Eight", ago(minutes=18.7))
    with db.read() as session, desk.app.test_request_context("/"):
        row = queries.get_row(session, desk.workspace, only_conversation(), accounts=None)
        assert row is not None
        entries = load_thread(session, desk.workspace, row.id).entries
        made = message_view.shown(entries, row, "Ana Q.", None, scene.now)
    assert [one.entry.text for one in made if one.continued] == ["Two", "Four"]


# Bubbles

URL = "https://cdn.example/very/long?asset_id=1&signature=abc"


def said(desk: Desk, scene: scenes.Scene, kind: MessageKind, text: str = "", **content: Any) -> str:
    """Return the HTML of one message of a kind."""
    files = content.pop("files", ())
    scene.said("ana", "Ana Q.", text, scene.now, kind=kind, content=content, attachments=tuple(files))
    html = page(desk, f"/{only_conversation()}")
    html = re.sub(r"<template.*?</template>", "", html, flags=re.DOTALL)
    message = html[html.index('<li class="msg') :]
    return message[: message.index("</li>")]


_OPT_IN = "Changed their message preferences"
KINDS: list[tuple[MessageKind, str, dict[str, Any], str, str]] = [
    *(
        (MessageKind.OPT_IN, "", {"opt_in": {"title": title, "state": state}}, _OPT_IN, line)
        for title, state, line in (
            ("Weekly news", "on", "Opted in to “Weekly news”"),
            ("Weekly news", "stopped", "Opted out of “Weekly news”"),
            ("Weekly news", "resumed", "Opted in again to “Weekly news”"),
            ("", "on", "Opted in to messages"),
            ("", "stopped", "Opted out of messages"),
            ("", "resumed", "Opted in again to messages"),
        )
    ),
    *(
        (MessageKind.FEEDBACK, "", {"rating": rating}, "Rated a message", line)
        for rating, line in (
            ("good", "Rated your message as a good response"),
            ("bad", "Rated your message as a bad response"),
            ("", "Rated your message"),
        )
    ),
    (MessageKind.CALL, "", {}, "Tried to call you", "Tried to call you"),
    (MessageKind.TEXT, "Look: https://shop.example/a?b=c", {}, "Message", "Look: shop.example/a"),
    (MessageKind.STICKER, "❤️", {}, "Sticker", "❤️"),
    (
        MessageKind.SHARE,
        "",
        {"shared": [{"type": "x_post", "payload": {"title": "New glaze", "url": URL}}]},
        "Shared a post",
        "Shared a post New glaze Open on cdn.example",
    ),
    (
        MessageKind.SHARE,
        "",
        {"shared": [{"type": "reel", "payload": {"url": URL}}]},
        "Shared a reel",
        "Shared a reel Open on cdn.example",
    ),
    (MessageKind.STORY_MENTION, "", {}, "Mentioned you in a story", "The story preview has expired."),
    (
        MessageKind.STORY_MENTION,
        "",
        {"files": [InboundAttachment(MessageKind.STORY_MENTION, URL)]},
        "Mentioned you in a story",
        "Lobby does not load files from cdn.example.",
    ),
    (MessageKind.STORY_REPLY, "love this", {}, "Replied to your story", "love this"),
    (
        MessageKind.QUICK_REPLY,
        "Red",
        {"payload": "COLOR_RED"},
        "Tapped a quick reply",
        "Red Tapped a quick reply",
    ),
    (
        MessageKind.QUICK_REPLY,
        "+4915112345678",
        {"payload": "+4915112345678", "ask": "phone"},
        "Shared their phone number",
        "+4915112345678 Shared their phone number",
    ),
    (MessageKind.QUICK_REPLY, "Red", {"ask": ["phone"]}, "Tapped a quick reply", "Red Tapped a quick reply"),
    (
        MessageKind.POSTBACK,
        "Talk to a person",
        {"payload": "HELP"},
        "Tapped a button",
        "Talk to a person Tapped a button",
    ),
    (
        MessageKind.TEXT,
        "More info?",
        {
            "referral": {
                "ad_id": 6045246247001,
                "ads_context_data": {"ad_title": "Summer sale", "photo_url": URL},
            }
        },
        "Message",
        "Came from your ad “Summer sale” More info?",
    ),
    (
        MessageKind.TEXT,
        "Size M?",
        {"referral": {"product": {"id": "4381572605000001"}}},
        "Message",
        "Asks about product 4381572605000001 Size M?",
    ),
    (
        MessageKind.REFERRAL,
        "",
        {"referral": {"ref": "flyer-7", "source": "SHORTLINK"}},
        "Came through a link or an ad",
        "Came through the link “flyer-7”",
    ),
    (
        MessageKind.TEMPLATE,
        "",
        {"shared": [{"type": "template", "payload": {"generic": {"elements": [{"title": "Rim plate"}]}}}]},
        "Message with buttons",
        "Rim plate",
    ),
    (
        MessageKind.LOCATION,
        "Kiln\nMill Lane 4",
        {"location": {"latitude": 52.52, "longitude": 13.4, "name": "Kiln", "address": "Mill Lane 4"}},
        "Location",
        "Location Kiln Mill Lane 4 Open on openstreetmap.org",
    ),
    (
        MessageKind.LOCATION,
        "",
        {"location": {"latitude": -33.8568, "longitude": 151.2153}},
        "Location",
        "Location -33.85680, 151.21530",
    ),
    (MessageKind.LOCATION, "Somewhere", {"location": {"latitude": 91}}, "Location", "Somewhere"),
    (
        MessageKind.CONTACTS,
        "Bob, +49 30 1",
        {"contacts": [{"name": "Bob", "phones": ["+49 30 1"], "emails": [], "company": "Kiln Ltd"}]},
        "Contact",
        "Contact Bob +49 30 1 · Kiln Ltd",
    ),
    (
        MessageKind.ORDER,
        "As a gift, please",
        {"order": {"items": [{"product": "mug", "quantity": 2, "price": "12.50", "currency": "EUR"}]}},
        "Order",
        "Order 2 × mug 12.50 EUR As a gift, please",
    ),
    (MessageKind.TEXT, "Sale!", {"forwarded": True}, "Message", "Forwarded Sale!"),
    (MessageKind.DISAPPEARING, "", {}, "Disappearing message", "shown only in the Toy app"),
    (
        MessageKind.UNSUPPORTED,
        "",
        {"event": "x", "raw": {"a": 1}},
        "Unsupported message",
        "Lobby cannot show yet",
    ),
    (
        MessageKind.UNSUPPORTED,
        "",
        {"event": "attachment fallback", "shared": [{"type": "fallback", "payload": {}}]},
        "Unsupported message",
        "Lobby cannot show yet",
    ),
    (
        MessageKind.UNSUPPORTED,
        "",
        {
            "event": "attachment poll",
            "shared": [{"type": "poll", "payload": {"title": "Which glaze?", "url": URL}}],
        },
        "Unsupported message",
        "A message from Toy that Lobby cannot show yet Which glaze? Open on cdn.example",
    ),
    (
        MessageKind.IMAGE,
        "",
        {"shared": [{"type": "poll", "payload": {"id": "1"}}]},
        "Photo",
        "A message from Toy that Lobby cannot show yet",
    ),
    (
        MessageKind.TEMPLATE,
        "",
        {
            "shared": [
                {
                    "type": "template",
                    "payload": {
                        "template_type": "button",
                        "text": "Shall we put it aside?",
                        "buttons": [{"type": "postback", "title": "Yes, please", "payload": "Y"}],
                    },
                }
            ]
        },
        "Message with buttons",
        "Shall we put it aside? Yes, please",
    ),
    (
        MessageKind.UNSUPPORTED,
        "",
        {"event": "unsupported"},
        "Unsupported message",
        "that Toy does not share",
    ),
    (
        MessageKind.UNSUPPORTED,
        "Price?",
        {"event": "comments"},
        "Unsupported message",
        "Commented on a post Price?",
    ),
]


@pytest.mark.parametrize(("kind", "text", "content", "label", "shown"), KINDS, ids=range(len(KINDS)))
def test_a_bubble_for_every_kind(
    desk: Desk,
    scene: scenes.Scene,
    kind: MessageKind,
    text: str,
    content: dict[str, Any],
    label: str,
    shown: str,
) -> None:
    html = said(desk, scene, kind, text, **content)
    assert shown in words(html)
    assert re.search(rf'aria-label="Ana Q\.: {label}[^"]*, \d\d:\d\d"', html)
    assert words(html).count("Lobby cannot show yet") <= 1, "it says so once"
    assert "{" not in words(html)
    assert "://" not in words(html)
    for link in re.findall(r"<a [^>]*>", html):
        assert 'rel="noopener noreferrer nofollow"' in link


class Polls(toys.Windowed):
    capabilities = Capabilities(
        receives=frozenset({MessageKind.TEXT, MessageKind.CUSTOM}), custom_kinds=(POLL,)
    )


@pytest.fixture
def polls(desk: Desk) -> None:
    desk.generation.directory = type(desk.generation.directory)((Polls(),))


POLLED = Poll("Which glaze?", ("Celadon", "Shino <b>"), "https://polls.example/7")


@pytest.mark.usefixtures("polls")
def test_a_kind_that_only_one_channel_has_is_shown_as_its_cards(desk: Desk, scene: scenes.Scene) -> None:
    html = said(desk, scene, MessageKind.CUSTOM, "Which glaze? Celadon, Shino", **POLL.content(POLLED))
    assert "Poll Which glaze? 1 Celadon 2 Shino &lt;b&gt; Open on polls.example" in words(html)
    assert "Celadon, Shino" not in words(html), "the text says the same"
    assert re.search(r'aria-label="Ana Q\.: Poll, \d\d:\d\d"', html)
    assert 'rel="noopener noreferrer nofollow"' in html
    assert "Which glaze? Celadon, Shino" in words(desk.browser.get(desk.path()).text), "the list has the text"


@pytest.mark.usefixtures("polls")
@pytest.mark.parametrize(
    "content",
    [
        POLL.content(Poll("broken", ())),
        {"custom": {"kind": "poll", "data": {"question": 7}}},
        {"custom": {"kind": "poll"}},
        {"custom": {"kind": "unheard_of", "data": {}}},
        {"custom": "poll"},
        {},
    ],
)
def test_a_kind_that_cannot_be_shown_as_cards_is_shown_as_its_text(
    desk: Desk, scene: scenes.Scene, content: dict[str, Any]
) -> None:
    assert "Which glaze?" in words(said(desk, scene, MessageKind.CUSTOM, "Which glaze?", **content))


def test_the_text_stays_while_the_channel_of_a_kind_is_not_active(desk: Desk, scene: scenes.Scene) -> None:
    html = said(desk, scene, MessageKind.CUSTOM, "Which glaze? Celadon", **POLL.content(POLLED))
    assert "Which glaze? Celadon" in words(html)
    assert "Open on" not in words(html)


@pytest.mark.usefixtures("polls")
def test_an_address_of_a_card_is_opened_only_if_it_is_safe(desk: Desk, scene: scenes.Scene) -> None:
    content = POLL.content(Poll("Which glaze?", (), "javascript:alert(1)"))
    html = said(desk, scene, MessageKind.CUSTOM, "x", **content)
    assert "Which glaze?" in words(html)
    assert "javascript" not in html


def test_what_we_sent_is_shown_as_cards(desk: Desk, scene: scenes.Scene) -> None:
    scene.said("ana", "Ana Q.", "Hi", scene.ago(minutes=9))
    first, second = (scene.reply("ana", text, scene.now)[0] for text in ("Which one?", "x"))
    card = {
        "title": "Rim plate, 28 cm",
        "subtitle": "42.00",
        "url": URL,
        "file": 0,
        "buttons": [{"title": "View", "url": URL}, {"title": "Order", "payload": "ORDER"}],
    }
    offered = [{"title": "Delivery times", "payload": "D"}, {"title": "Prices", "payload": "P"}]
    toys.change_row(Message, first, content={"quick_replies": offered})
    toys.change_row(
        Message, second, kind=MessageKind.TEMPLATE, text="", content={"template": {"elements": [card, card]}}
    )
    asked, cards = (one(desk, message) for message in toys.thread()[1:])
    assert "Delivery times Prices Mia R." in words(asked)
    assert 'role="group" aria-label="Quick replies"' in asked
    assert "Rim plate, 28 cm 42.00 View Order" in words(cards)
    assert 'role="group" aria-label="2 cards"' in cards
    assert cards.count(f'href="{URL.replace("&", "&amp;")}"') == 4
    assert "Shown only in the mobile app" not in words(asked)

    class Mobile(toys.Windowed):
        capabilities = Capabilities(mobile_only=frozenset({"quick_replies", "template"}))

    desk.generation.directory = type(desk.generation.directory)((Mobile(),))
    for message in toys.thread()[1:]:
        assert "Shown only in the mobile app" in words(one(desk, message))


def test_a_tap_says_what_was_tapped_where_that_is_known(desk: Desk, scene: scenes.Scene) -> None:
    for text in ("ICE", "MENU", "CARD", "OTHER"):
        scene.said("ana", "Ana Q.", text, scene.now, kind=MessageKind.POSTBACK, content={"payload": text})
    (sent,) = scene.reply("ana", "x", scene.now)
    card = {"title": "Rim plate", "buttons": [{"title": "Order", "payload": "CARD"}]}
    content = {"template": {"elements": [card]}}
    toys.change_row(Message, sent, kind=MessageKind.TEMPLATE, text="", content=content)
    do(button_payloads.remember_payloads, desk.workspace, desk.account.id, "ice_breakers", ["ICE", ""])
    do(button_payloads.remember_payloads, desk.workspace, desk.account.id, "menu", iter(["MENU"]))
    ice, menu, card, other = (words(one(desk, message)) for message in toys.thread()[:4])
    assert "ICE Tapped an ice breaker" in ice
    assert "MENU Chose from the menu" in menu
    assert "CARD Tapped a button of a card" in card
    assert "OTHER Tapped a button" in other
    do(button_payloads.remember_payloads, desk.workspace, desk.account.id, "menu", [])
    assert "MENU Tapped a button" in words(one(desk, toys.thread()[1]))


@pytest.mark.parametrize("kept", [None, 1, {"menu": 3}, {"menu": None, "x": ["y"]}, []])
def test_odd_settings_name_no_list(kept: Any) -> None:
    assert button_payloads.list_of("MENU", {"taps": kept}) == ""


@pytest.mark.parametrize(
    ("content", "shown"),
    [
        ({"products": ["4381572605000001", "22"]}, "Product 4381572605000001 Product 22"),
        ({"own_post": "17895695668004550"}, "Your post 17895695668004550"),
    ],
)
def test_products_and_posts_of_ours(
    desk: Desk, scene: scenes.Scene, content: dict[str, Any], shown: str
) -> None:
    scene.said("ana", "Ana Q.", "Hi", scene.ago(minutes=9))
    (sent,) = scene.reply("ana", "x", scene.now)
    kind = MessageKind.SHARE if "own_post" in content else MessageKind.TEMPLATE
    toys.change_row(Message, sent, kind=kind, text="", content=content)
    assert shown in words(one(desk, toys.thread()[1]))


def test_pictures_players_and_files_stand_in_one_message(desk: Desk, scene: scenes.Scene) -> None:
    def file(kind: MessageKind, name: str = "") -> InboundAttachment:
        return InboundAttachment(kind, url=URL, name=name)

    kinds = (MessageKind.IMAGE, MessageKind.IMAGE, MessageKind.VIDEO, MessageKind.AUDIO)
    html = said(
        desk,
        scene,
        MessageKind.IMAGE,
        files=[*map(file, kinds), file(MessageKind.FILE, "measurements.pdf")],
    )
    assert words(html).count("Lobby does not load files from cdn.example. Open on cdn.example") == 5
    assert 'aria-label="measurements.pdf"' in html
    assert not re.search(r'src="https?:', html)
    assert html.count('rel="noopener noreferrer nofollow"') == 5


def test_a_file_without_an_address_is_kept_by_the_provider(desk: Desk, scene: scenes.Scene) -> None:
    html = said(desk, scene, MessageKind.IMAGE, files=[InboundAttachment(MessageKind.IMAGE, url="ftp://a/b")])
    assert "stored by Toy" in words(html)


# What stands around a message


def reacted(message: Any, **values: Any) -> None:
    def use_case(session: Session) -> None:
        values.setdefault("actor", "customer")
        session.add(
            Reaction(
                workspace_id=message.workspace_id,
                conversation_id=message.conversation_id,
                account_id=message.account_id,
                external_id=message.external_id,
                message_id=message.id,
                at=message.sent_at,
                **{"emoji": "", "name": "", **values},
            )
        )

    db.write(use_case)


def one(desk: Desk, message: Any) -> str:
    """Return the HTML of one message of the conversation's page."""
    html = page(desk, f"/{message.conversation_id}")
    html = html[html.index(f'id="m-{message.id}"') :]
    return html[: html.index("</li>")]


def test_reactions_stand_beside_the_message(desk: Desk, scene: scenes.Scene) -> None:
    scene.said("ana", "Ana Q.", "Hi", scene.ago(minutes=9))
    scene.sent("ana", "Two are set aside.", scene.ago(minutes=5))
    theirs, ours = toys.thread()
    reacted(ours, emoji="❤️", name="love")
    reacted(theirs, emoji="🎉", name="other")
    reacted(theirs, actor="team", emoji="👍", author_id=desk.mia.id, state="failed")
    assert 'role="img" aria-label="Ana Q. reacted with love"' in one(desk, ours)
    html = one(desk, theirs)
    assert 'aria-label="Ana Q. reacted with 🎉"' in html
    assert 'aria-label="Mia R. reacted with 👍, not sent"' in html
    toys.change_row(Reaction, 1, removed_at=scene.now)
    assert "reacted" not in one(desk, ours)


@pytest.mark.parametrize(("name", "emoji"), [("love", ""), ("", ""), ("<b>", "<i>"), ("other", "")])
def test_a_reaction_of_which_little_is_known_is_shown(
    desk: Desk, scene: scenes.Scene, name: str, emoji: str
) -> None:
    scene.said("ana", "Ana Q.", "Hi", scene.ago(minutes=9))
    (message,) = toys.thread()
    reacted(message, name=name, emoji=emoji)
    html = one(desk, message)
    assert html.count('class="reaction"') == 1
    assert "<i>" not in html


def test_a_quote_leads_to_what_it_quotes(desk: Desk, scene: scenes.Scene) -> None:
    first = scene.said("ana", "Ana Q.", "Is the https://shop.example/mug?x=1 there?", scene.ago(minutes=9))
    scene.sent("ana", "Yes, it is.", scene.ago(minutes=8))
    _, answer = toys.thread()
    scene.said("ana", "", "Two, please", scene.ago(minutes=7))
    scene.said("ana", "", "And this", scene.ago(minutes=6))
    scene.said("ana", "", "Or that", scene.ago(minutes=5), kind=MessageKind.IMAGE)
    to_answer, to_nothing, to_question = toys.thread()[2:]
    toys.change_row(Message, to_answer.id, reply_to=answer.external_id)
    toys.change_row(Message, to_nothing.id, reply_to="nobody-has-it")
    toys.change_row(Message, to_question.id, reply_to=first)
    html = one(desk, to_answer)
    assert f'href="#m-{answer.id}" data-goes-to="{answer.id}"' in html
    assert "In reply to Mia R. Yes, it is. Two, please" in words(html)
    assert "In reply to Message not available And this" in words(one(desk, to_nothing))
    assert "In reply to Ana Q. Is the shop.example/mug there?" in words(one(desk, to_question))
    toys.change_row(Message, answer.id, unsent_at=scene.now, text="")
    assert "In reply to Mia R. Unsent message Two, please" in words(one(desk, to_answer))


def test_a_quote_of_an_earlier_page_leads_there(desk: Desk, scene: scenes.Scene) -> None:
    toys.apply(desk.account, *(toys.received(f"number {i}.", at=i) for i in range(70)), adapter=toys.WINDOWED)
    messages = toys.thread()
    toys.change_row(Message, messages[-1].id, reply_to=messages[3].external_id)
    link = re.search(r'class="quote" href="([^"]+)"', one(desk, messages[-1]))
    assert link is not None
    there = desk.browser.get(link[1].replace("&amp;", "&")).text
    assert f'id="m-{messages[3].id}"' in there
    assert link[1].endswith(f"#m-{messages[3].id}")


def test_a_message_taken_back_says_who_and_when(desk: Desk, scene: scenes.Scene) -> None:
    scene.said("ana", "Ana Q.", "Hi", scene.ago(minutes=9))
    scene.echo("ana", "Hello", scene.ago(minutes=5))
    theirs, ours = toys.thread()
    for message in (theirs, ours):
        toys.change_row(Message, message.id, unsent_at=message.sent_at, text="", content={})
    assert re.search(r"Ana Q\. unsent this message, \d\d:\d\d", words(one(desk, theirs)))
    assert re.search(r"Unsent in the Toy app, \d\d:\d\d", words(one(desk, ours)))
    assert re.search(r'aria-label="Ana Q\.: Unsent a message, \d\d:\d\d"', one(desk, theirs))


def test_an_edited_message_says_so(desk: Desk, scene: scenes.Scene) -> None:
    scene.said("ana", "Ana Q.", "Hi", scene.ago(minutes=9))
    (message,) = toys.thread()
    toys.change_row(Message, message.id, edited_at=scene.ago(minutes=8), edit_count=1)
    assert re.search(r"Edited \d\d:\d\d", words(one(desk, message)))
    toys.change_row(Message, message.id, edit_count=3)
    assert re.search(r"Edited 3 times, last \d\d:\d\d", words(one(desk, message)))


def test_a_thread_of_every_kind_asks_no_more_than_one_of_words(
    database: db.Database, desk: Desk, scene: scenes.Scene
) -> None:
    desk.sign_in()

    def questions() -> int:
        with toys.Statements(database) as asked:
            page(desk, f"/{conversation}")
        return len(asked.seen)

    scene.said("ana", "Ana Q.", "Hi", scene.ago(minutes=90))
    conversation = only_conversation()
    questions()  # the first of a session notes that it is used
    fewest = questions()
    toys.change_row(Message, toys.thread()[0].id, reply_to="a message that is not here")
    few = questions()
    assert few == fewest + 1, "quotes are asked for where there are some"
    for number, (kind, text, content, _label, _shown) in enumerate(KINDS):
        file = InboundAttachment(MessageKind.IMAGE, url=URL)
        at = scene.ago(minutes=80 - number)
        scene.said("ana", "", text, at, kind=kind, content=content, attachments=(file, file))
    messages = toys.thread()
    for before, message in itertools.pairwise(messages):
        toys.change_row(Message, message.id, reply_to=before.external_id)
        reacted(message, emoji="❤️", name="love")
    assert questions() == few
    assert few <= 22


def test_the_list_names_what_is_not_text(desk: Desk, scene: scenes.Scene) -> None:
    for contact, kind, text, line in (
        ("a", MessageKind.IMAGE, "", "Photo"),
        ("b", MessageKind.AUDIO, "", "Voice message"),
        ("c", MessageKind.QUICK_REPLY, "Opening hours", "Tapped “Opening hours”"),
        ("d", MessageKind.TEXT, f"See {URL}", "See cdn.example/very/long"),
    ):
        scene.said(contact, contact, text, scene.now, kind=kind)
        assert line in words(page(desk))
    assert "://" not in words(page(desk))
    song = InboundAttachment(MessageKind.AUDIO, url=URL, name="song.mp3")
    scene.said("e", "e", "", scene.now, kind=MessageKind.AUDIO, attachments=(song,))
    assert "Audio" in words(page(desk))


@pytest.mark.parametrize(
    ("sent_by", "label", "speaker"),
    [
        (None, "Not sent from Lobby", "Your account"),
        (Program(Who.PROVIDER, "1", "Toybox"), "Sent from the Toybox app", "Your Toybox app"),
        (Program(Who.OTHER, "222"), "Sent by another program (222)", "Another program"),
        (Program(Who.OTHER, "222", "Till"), "Sent by another program (Till)", "Another program"),
        (Program(Who.DESK, "3"), "Sent with Lobby’s access, but not from Lobby", "Your account"),
    ],
)
def test_what_sent_a_message_is_said_as_far_as_it_is_known(
    desk: Desk, scene: scenes.Scene, sent_by: Program | None, label: str, speaker: str
) -> None:
    scene.said("ana", "Ana Q.", "Hi", scene.ago(minutes=9))
    toys.apply(desk.account, replace(toys.echoed("Yes"), sent_by=sent_by))
    html = one(desk, toys.thread()[0])
    assert label in words(html)
    assert f'aria-label="{speaker}: Message' in html


def test_a_product_beside_a_picture_is_a_card(desk: Desk, scene: scenes.Scene) -> None:
    product = InboundAttachment(MessageKind.TEMPLATE, url=URL, name="Blue mug, 24.00 EUR")
    html = said(
        desk,
        scene,
        MessageKind.IMAGE,
        files=[InboundAttachment(MessageKind.IMAGE, url=URL), product],
        referral={"product": {"id": "438"}},
    )
    assert re.search(r'aria-label="Ana Q\.: Photo, ', html)
    assert "Asks about a product Blue mug, 24.00 EUR" in words(html)
    assert "438" not in words(html)


def test_what_two_programs_said_does_not_stand_together(desk: Desk, scene: scenes.Scene) -> None:
    scene.said("ana", "Ana Q.", "Hi", scene.ago(minutes=9))
    for second, program in enumerate(("1", "2", "2")):
        echo = toys.echoed(program, external_id=f"e{second}", at=second)
        toys.apply(desk.account, replace(echo, sent_by=Program(Who.OTHER, program)))
    with db.read() as session, desk.app.test_request_context("/"):
        row = queries.get_row(session, desk.workspace, only_conversation(), accounts=None)
        assert row is not None
        entries = load_thread(session, desk.workspace, row.id).entries
        made = message_view.shown(entries, row, "Ana Q.", None, scene.now)
    assert [one.continued for one in made if one.echo] == [False, False, True]


def test_who_has_a_conversation_is_said_while_we_read_along(desk: Desk, scene: scenes.Scene) -> None:
    scene.said("ana", "Ana Q.", "One", scene.ago(minutes=9), content={"standby": True})
    for minutes, how, to in (
        (8, Handover.PASSED, Program(Who.OTHER, "222")),
        (6, Handover.REQUESTED, Program(Who.DESK, "3")),
        (4, Handover.TAKEN, Program(Who.DESK, "3")),
    ):
        scene.apply(ConversationHandedOver("ana", scene.ago(minutes=minutes), how, to=to))
    scene.said("ana", "Ana Q.", "Two", scene.ago(minutes=5), content={"standby": True})
    scene.said("ana", "Ana Q.", "Three", scene.ago(minutes=3))
    shown = words(page(desk, f"/{only_conversation()}"))
    assert "Another program has this conversation" in shown
    assert "App 222 has this conversation now" in shown
    assert "Lobby asked to take this conversation over" in shown
    assert "Another program (222) has this conversation" in shown
    assert "Lobby took this conversation over" in shown
    assert shown.count("program") == 2


@pytest.mark.parametrize(("hours", "says"), [(0.9, False), (1.1, True)])
def test_what_came_late_says_so(desk: Desk, scene: scenes.Scene, hours: float, says: bool) -> None:
    scene.said("ana", "Ana Q.", "Hi", scene.ago(hours=30))
    change = replace(toys.received("Late"), sent_at=scene.ago(hours=hours))
    item = toys.incoming(desk.account, change, received_at=scene.now)
    db.write(apply_changes, [item])
    assert ("Arrived late, " in words(one(desk, toys.thread()[-1]))) is says
    assert "Arrived late" not in words(one(desk, toys.thread()[0]))
