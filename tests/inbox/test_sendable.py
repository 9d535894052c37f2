"""Every limit a channel declares is held, by its own code and with the limit named."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask import Flask
from flask_babel import Babel

from host.core.backports.values import replace
from host.core.errors import LobbyError
from host.inbox.errors import KindNotSupportedError
from host.inbox.sendable import (
    NotSendableError,
    check_ask_text,
    check_content,
    location_at,
    parse_contacts,
    parse_location,
    parse_template,
    told_apart,
    words_of,
)
from host.sdk.capabilities import Capabilities
from host.sdk.messages import MessageKind
from tests.inbox.toys import RICH

EVERYTHING = RICH.capabilities
TEXT, TEMPLATE, SHARE = MessageKind.TEXT, MessageKind.TEMPLATE, MessageKind.SHARE
LOCATION, CONTACTS = MessageKind.LOCATION, MessageKind.CONTACTS
FAMILY = "👨‍👩‍👧‍👦"


def check(kind: MessageKind, capabilities: Capabilities = EVERYTHING, **content: Any) -> Any:
    return check_content(kind, content, capabilities)[0]


def refusal(kind: MessageKind, capabilities: Capabilities = EVERYTHING, **content: Any) -> LobbyError:
    with pytest.raises(LobbyError) as caught, app().test_request_context():
        check_content(kind, content, capabilities)
    with app().test_request_context():
        assert caught.value.sentence
        assert len(str(caught.value)) < 400
    return caught.value


def app() -> Flask:
    made = Flask(__name__)
    Babel(made)
    return made


def cards(*elements: Any) -> dict[str, Any]:
    return {"elements": list(elements)}


def card(**parts: Any) -> dict[str, Any]:
    return {"title": "A lamp", "subtitle": "Brass", **parts}


def test_quick_replies_are_kept_on_one_line_and_send_their_title_unless_told() -> None:
    offered = [{"title": " Red\n pot "}, {"title": "Blue", "payload": "COLOR_BLUE"}]
    assert check(TEXT, quick_replies=offered) == {
        "quick_replies": [
            {"title": "Red pot", "payload": "Red pot"},
            {"title": "Blue", "payload": "COLOR_BLUE"},
        ]
    }
    assert check(TEXT, quick_replies=[]) == {}
    assert check(TEXT) == {}


@pytest.mark.parametrize(
    ("answers", "says"),
    [
        ([{"title": "Yes"}, {"title": " YES ", "payload": "y"}], "Two answers are called “YES”."),
        (
            [{"title": "Yes", "payload": "a"}, {"title": "No", "payload": "a"}],
            "“Yes” and “No” have the same payload.",
        ),
        ([{"title": "Yes"}, {"title": "No", "payload": "Yes"}], "“Yes” and “No” have the same payload."),
    ],
)
def test_answers_that_cannot_be_told_apart_are_refused_where_the_provider_does(
    answers: list[dict[str, str]], says: str
) -> None:
    quick, below = EVERYTHING.quick_replies, EVERYTHING.buttons
    assert quick is not None
    assert below is not None
    strict = replace(
        EVERYTHING, quick_replies=replace(quick, unique=True), buttons=replace(below, unique=True)
    )
    template = {"text": "Shall I?", "buttons": answers}
    for kind, content in ((TEXT, {"quick_replies": answers}), (TEMPLATE, {"template": template})):
        assert check(kind, **content)
        caught = refusal(kind, strict, **content)
        assert caught.code == "not_unique"
        assert caught.field in {
            f"{name}[1].{part}" for name in ("buttons", "quick_replies") for part in ("title", "payload")
        }
        assert str(caught).startswith(says)
    links = [{"title": "Shop", "url": "https://a.example/"}, {"title": "Shop", "payload": "s"}]
    assert check(TEMPLATE, strict, template={**template, "buttons": links})


def test_a_request_for_contact_details_stands_alone_where_the_provider_wants_it() -> None:
    quick = EVERYTHING.quick_replies
    assert quick is not None
    alone = replace(EVERYTHING, quick_replies=replace(quick, ask_alone=True, ask_text_length=5))
    both = [{"ask": "phone"}, {"title": "No"}]
    assert check(TEXT, quick_replies=both)
    caught = refusal(TEXT, alone, quick_replies=both)
    assert (caught.code, caught.field, caught.limit) == ("too_many_quick_replies", "quick_replies", 1)
    only = check(TEXT, alone, quick_replies=[{"ask": "phone"}])
    assert only == {"quick_replies": [{"ask": "phone"}]}
    check_ask_text("Hello", only, alone.quick_replies)
    check_ask_text("Hello you", check(TEXT, alone, quick_replies=[{"title": "No"}]), alone.quick_replies)
    check_ask_text("Hello you", only, EVERYTHING.quick_replies)
    with pytest.raises(LobbyError) as error:
        check_ask_text("Hello you", only, alone.quick_replies)
    assert (error.value.code, error.value.limit) == ("buttons_text", 5)


def test_answers_of_automation_are_told_apart() -> None:
    person = {"title": "Talk to a person", "payload": "person"}
    assert told_apart([{"title": "talk to A person", "payload": "a"}, {"title": "Yes"}, person]) == [
        {"title": "Yes"},
        person,
    ]


def test_titles_are_counted_in_characters_as_providers_do() -> None:
    assert check(TEXT, quick_replies=[{"title": "🏺" * 20}])
    assert refusal(TEXT, quick_replies=[{"title": "🏺" * 21}]).code == "quick_reply_title"
    # A family is one picture and seven characters.
    assert len(FAMILY) == 7
    assert check(TEXT, quick_replies=[{"title": FAMILY * 2}])
    assert refusal(TEXT, quick_replies=[{"title": FAMILY * 3}]).code == "quick_reply_title"


def test_a_location_and_contact_cards_are_kept_as_they_are_received() -> None:
    place = {"latitude": 52.5163, "longitude": 13.3777, "name": " Our\nworkshop ", "address": ""}
    assert check(LOCATION, location=place) == {
        "location": {"latitude": 52.5163, "longitude": 13.3777, "name": "Our workshop"}
    }
    zoe = {"name": "Zoe", "phones": ["+49 (30) 12-34", " "], "emails": ["zoe@example.org"], "company": "Kiln"}
    assert check(CONTACTS, contacts=[zoe]) == {"contacts": [{**zoe, "phones": ["+49 (30) 12-34"]}]}


def test_lists_have_their_words() -> None:
    bare = check(LOCATION, location={"latitude": -33.8568, "longitude": 151.2153})
    assert words_of(LOCATION, bare) == "-33.85680, 151.21530"
    named = check(LOCATION, location={"latitude": 0, "longitude": 0, "name": "Kiln", "address": "Mill Lane"})
    assert words_of(LOCATION, named) == "Kiln\nMill Lane"
    cards = check(
        CONTACTS, **parse_contacts(['{"name": "Zoe", "reach": "+49 30 1234, zoe@example.org"}'] * 2)
    )
    assert words_of(CONTACTS, cards) == "Zoe, +49 30 1234, zoe@example.org\nZoe, +49 30 1234, zoe@example.org"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("52.5163, 13.3777", (52.5163, 13.3777)),
        ("52.5163 13.3777", (52.5163, 13.3777)),
        ("-33.8568,151.2153", (-33.8568, 151.2153)),
        ("52,5163 13,3777", (52.5163, 13.3777)),
        ("52,5163; 13,3777", (52.5163, 13.3777)),
        ("geo:52.5163,13.3777", (52.5163, 13.3777)),
        ("https://www.google.com/maps/@52.5163,13.3777,17z", (52.5163, 13.3777)),
        (
            "https://www.google.com/maps/place/Gate/@52.51,13.37,17z/data=!3d52.5163!4d13.3777",
            (52.5163, 13.3777),
        ),
        ("https://maps.google.com/?q=52.5163%2C13.3777", (52.5163, 13.3777)),
        ("https://www.google.com/maps/search/?api=1&query=52.5163,13.3777", (52.5163, 13.3777)),
        ("https://maps.apple.com/?ll=52.5163,13.3777&q=Gate", (52.5163, 13.3777)),
        ("https://www.openstreetmap.org/?mlat=52.5163&mlon=13.3777#map=16/1/2", (52.5163, 13.3777)),
        ("https://www.openstreetmap.org/#map=16/52.5163/13.3777", (52.5163, 13.3777)),
        ("https://maps.app.goo.gl/AbC123", None),
        ("91, 13", None),
        ("52.5163, 181", None),
        ("Mill Lane 4, 10117 Berlin", None),
        ("12", None),
        ("", None),
        ("1" * 100_000, None),
        ("-" * 100_000, None),
        ("1," * 50_000, None),
    ],
)
def test_coordinates_are_read_as_people_copy_them(text: str, found: tuple[float, float] | None) -> None:
    assert location_at(text) == found


def test_a_location_without_coordinates_is_refused() -> None:
    with pytest.raises(NotSendableError, match="No coordinates"), app().test_request_context():
        parse_location('{"at": "https://maps.app.goo.gl/AbC123", "name": "Kiln"}')


LIMITS: list[tuple[str, MessageKind, dict[str, Any], str]] = [
    ("too_many_quick_replies", TEXT, {"quick_replies": [{"title": str(n)} for n in range(4)]}, "3"),
    ("quick_reply_title", TEXT, {"quick_replies": [{"title": "x" * 21}]}, "20"),
    ("quick_reply_title", TEXT, {"quick_replies": [{"title": " \n\0 "}]}, "empty"),
    ("quick_reply_payload", TEXT, {"quick_replies": [{"title": "x", "payload": "p" * 101}]}, "100"),
    ("too_many_cards", TEMPLATE, {"template": cards(*[card()] * 4)}, "3"),
    ("too_many_buttons", TEMPLATE, {"template": cards(card(buttons=[{"title": "x"}] * 3))}, "2"),
    ("card_text", TEMPLATE, {"template": cards(card(title="x" * 81))}, "80"),
    ("card_text", TEMPLATE, {"template": cards(card(title=" "))}, "empty"),
    ("card_text", TEMPLATE, {"template": cards(card(subtitle="x" * 81))}, "80"),
    ("card_text", TEMPLATE, {"template": cards(card(buttons=[{"title": "x" * 21}]))}, "20"),
    (
        "card_text",
        TEMPLATE,
        {"template": cards(card(buttons=[{"title": "x", "payload": "p" * 1001}]))},
        "1000",
    ),
    ("card_bare", TEMPLATE, {"template": cards({"title": "A lamp"})}, "title"),
    ("card_bare", TEMPLATE, {"template": cards({"title": "A lamp", "subtitle": " ", "url": ""})}, "title"),
    *(
        ("card_address", TEMPLATE, {"template": cards(card(url=url))}, "https")
        for url in (
            "javascript:alert(1)",
            "ftp://example.com",
            "//example.com",
            "https://",
            "https://a b.example/",
            'https://example.com/"x',
            "https://me:secret@example.com/",
            "https://[::1",
            "https://example.com:99999/",
            "https://example.com/" + "x" * 2000,
        )
    ),
    ("card_address", TEMPLATE, {"template": cards(card(image_url="data:image/png,x"))}, "https"),
    ("card_address", TEMPLATE, {"template": cards(card(buttons=[{"title": "x", "url": "x"}]))}, "https"),
    ("too_many_products", TEMPLATE, {"products": ["1", "2", "3"]}, "2"),
    ("product_id", TEMPLATE, {"products": ["a b"]}, "ID"),
    ("product_id", TEMPLATE, {"products": [""]}, "ID"),
    ("own_post", SHARE, {"own_post": "../me"}, "post"),
    ("own_post", SHARE, {"own_post": ""}, "post"),
    *(
        ("contact_card", CONTACTS, {"contacts": [one]}, "card")
        for one in (
            {"name": "Zoe"},
            {"name": " ", "phones": ["+49 30 1234"]},
            {"name": "Zoe", "phones": ["call me"]},
            {"name": "Zoe", "emails": ["zoe"]},
            {"name": "Zoe", "phones": ["+49 30 1234"] * 11},
        )
    ),
]


@pytest.mark.parametrize(("code", "kind", "content", "named"), LIMITS)
def test_a_limit_is_named(code: str, kind: MessageKind, content: dict[str, Any], named: str) -> None:
    error = refusal(kind, **content)
    assert error.code == code
    with app().test_request_context():
        assert named in error.sentence
        assert error.next_step


SHAPES: list[tuple[MessageKind, dict[str, Any]]] = [
    (TEXT, {"quick_replies": "Red"}),
    (TEXT, {"quick_replies": ["Red"]}),
    (TEXT, {"quick_replies": [{"title": 7}]}),
    (TEXT, {"quick_replies": [{"payload": "x"}]}),
    (TEXT, {"quick_replies": [{"title": "x", "image_url": "y"}]}),
    (TEXT, {"surprise": 1}),
    (TEMPLATE, {}),
    (TEMPLATE, {"template": None}),
    (TEMPLATE, {"template": []}),
    (TEMPLATE, {"template": {"elements": []}}),
    (TEMPLATE, {"template": {"elements": [[]]}}),
    (TEMPLATE, {"template": {"elements": [{"subtitle": "x"}]}}),
    (TEMPLATE, {"template": {"elements": [{"title": "x", "subtitle": None}]}}),
    (
        TEMPLATE,
        {"template": cards(card(buttons=[{"title": "x", "url": "https://a.example", "payload": "p"}]))},
    ),
    (TEMPLATE, {"template": cards(card()), "products": ["1"]}),
    (TEMPLATE, {"products": "12"}),
    (TEMPLATE, {"products": [12]}),
    (SHARE, {}),
    (SHARE, {"own_post": 17}),
    (LOCATION, {}),
    (LOCATION, {"location": "here"}),
    (LOCATION, {"location": {"latitude": 91, "longitude": 1}}),
    (LOCATION, {"location": {"latitude": 1, "longitude": -181}}),
    (LOCATION, {"location": {"latitude": float("nan"), "longitude": 1}}),
    (LOCATION, {"location": {"latitude": True, "longitude": 1}}),
    (CONTACTS, {"contacts": []}),
    (CONTACTS, {"contacts": [{"name": "Zoe", "phones": ["+49 30 1234"]}] * 11}),
    (CONTACTS, {"contacts": [{"phones": ["+49 30 1234"]}]}),
    (MessageKind.STICKER, {"sticker": 1}),
    (MessageKind.IMAGE, {"url": "https://example.com"}),
]


@pytest.mark.parametrize(("kind", "content"), SHAPES)
def test_what_is_out_of_shape_is_refused(kind: MessageKind, content: dict[str, Any]) -> None:
    assert refusal(kind, **content).code == "bad_content"


@pytest.mark.parametrize(
    ("kind", "content", "without"),
    [
        (TEMPLATE, {"template": cards(card())}, {"template": None}),
        (TEMPLATE, {"products": ["1"]}, {"product_template": None}),
        (SHARE, {"own_post": "1"}, {"own_post": False}),
        (LOCATION, {"location": {"latitude": 1, "longitude": 1}}, {"sends": frozenset({TEXT})}),
        (CONTACTS, {"contacts": [{"name": "Zoe"}]}, {"sends": frozenset({TEXT})}),
        (MessageKind.STICKER, {"sticker": "heart"}, {"heart": False}),
        (MessageKind.STICKER, {"sticker": "cat"}, {}),
        (MessageKind.IMAGE, {}, {"media": {}}),
        (MessageKind.STORY_MENTION, {}, {}),
        (MessageKind.REACTION, {}, {}),
    ],
)
def test_what_the_channel_does_not_have_is_refused(
    kind: MessageKind, content: dict[str, Any], without: dict[str, Any]
) -> None:
    with pytest.raises(KindNotSupportedError):
        check_content(kind, content, replace(EVERYTHING, **without))


def test_quick_replies_where_there_are_none_are_refused() -> None:
    error = refusal(TEXT, replace(EVERYTHING, quick_replies=None), quick_replies=[{"title": "Red"}])
    assert (error.code, error.status) == ("quick_replies_not_supported", 409)


def test_a_card_keeps_what_it_has_and_names_its_picture_by_place() -> None:
    content, uploads = check_content(
        TEMPLATE,
        {
            "template": cards(
                card(url="https://shop.example.com/lamp?a=1&b=ä"),
                card(upload="u1", image_url="https://ignored.example.com/"),
                card(upload="u2", buttons=[{"title": "Ask"}, {"title": "See", "url": "http://a.example"}]),
            )
        },
        EVERYTHING,
    )
    assert uploads == ["u1", "u2"]
    assert content["template"]["elements"] == [
        {"title": "A lamp", "subtitle": "Brass", "url": "https://shop.example.com/lamp?a=1&b=ä"},
        {"title": "A lamp", "subtitle": "Brass", "file": 0},
        {
            "title": "A lamp",
            "subtitle": "Brass",
            "file": 1,
            "buttons": [{"title": "Ask", "payload": "Ask"}, {"title": "See", "url": "http://a.example"}],
        },
    ]


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "null",
        "[]",
        "{}",
        '{"elements":{}}',
        '{"elements":[{"title":1}]}',
        '{"elements":[{"title":"x","evil":1}]}',
        '{"elements":' + "[" * 5_000,
        '{"elements":[{"title":"\ud800"}]}',
        "not json",
        '{"elements":NaN}',
    ],
)
def test_a_template_that_is_no_template_is_refused(raw: str) -> None:
    with pytest.raises(NotSendableError) as caught:
        parse_template(raw)
    assert caught.value.code == "bad_content"


def test_a_template_is_read_from_json() -> None:
    raw = json.dumps(cards(card(buttons=[{"title": "Ask", "payload": "ASK"}])))
    read = parse_template(raw)
    assert check(TEMPLATE, **read)["template"]["elements"][0]["buttons"] == [
        {"title": "Ask", "payload": "ASK"}
    ]
