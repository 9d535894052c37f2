"""Everything people read in the inbox comes out of a translation."""

from __future__ import annotations

from pathlib import Path

import pytest

from host.core import db
from host.sdk.messages import MessageKind
from host.web import message_kinds
from tests.inbox import desks, scenes, toys
from tests.pseudo import pseudo_app, untranslated

THEIRS = [
    "Ana Q.", "Jon B.", "Kit L.", "Rosa S.", "Olu P.", "Hal M.", "Kim W.", "Mia R.", "Bo T.", "Toy", "J", "K",
    "Invoice for the March workshop, second try", "The replacement lid ships tomorrow.", "Hello",
    "Thanks, I will think about it.", "Thank you, the parcel arrived whole.", "We open at nine.",
    "Are any of these still in the shop?", "Two to four working days, and free above 60.", "Delivery times",
    "Two rim plates are set aside for you.", "Only three left on the shelf. Shall I put two aside?",
    "Wonderful. Could you hold the blue one until Monday?", "And wrap it?", "See you on Monday!",
    "Of course, it is on the shelf by the door.", "Here is a picture of the shelf.", "It is wrapped.",
    "The lid arrived cracked, what can we do?", "measurements.pdf",
    "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Nov", "Dec", "Oct",
]  # fmt: skip


def test_every_text_of_the_inbox_can_be_translated(database: db.Database, data: Path) -> None:
    desk = desks.open_desk(data)
    made = scenes.whole(desk)
    for kind in (*MessageKind, "yet unknown"):
        made.said("kim", "Kim W.", "", made.ago(minutes=3), kind=kind)
    pseudo_app(desk.app)
    people = ("ana.sample", "rosa.sample", "olu.sample", "hal.sample", "kim")
    ids = [made.conversation(contact) for contact in people]
    paths = ["", "?pane=filters", "?view=mine&status=closed", *(f"/{id_}?write=note" for id_ in ids)]
    for rest in paths:
        html = desk.browser.get(desk.path(rest)).text
        assert [t for t in untranslated(html, data=THEIRS) if not _is_a_date(t)] == [], rest
    fields = {"csrf_token": desk.browser.csrf(), "text": "é" * 900}
    overflow = desk.browser.post(desk.path(f"/{ids[0]}/overflow"), data=fields)
    assert untranslated(overflow.json["html"], data=["é"]) == []


def _is_a_date(text: str) -> bool:
    """Babel writes dates in the reader's language; they are in no catalogue of ours."""
    months = "January February March April May June July August September October November December"
    return any(month in text for month in months.split())


@pytest.mark.parametrize("kind", list(MessageKind))
def test_every_kind_has_a_name_of_its_own(kind: MessageKind) -> None:
    assert kind in message_kinds.LOOKS


def test_words_for_scripts_come_from_the_page(database: db.Database, data: Path) -> None:
    desk = desks.open_desk(data)
    toys.apply(desk.account, toys.received("hi"), adapter=toys.WINDOWED)
    pseudo_app(desk.app)
    html = desk.browser.get(desk.path("/1")).text
    for name in ("now", "day", "hour", "minute", "typing", "changed", "new", "offline", "unsaved"):
        assert f'data-text-{name}="⟦' in html, name
