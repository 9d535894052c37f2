"""What comes in an unusual shape is shown as far as it can be read, not dropped."""

from __future__ import annotations

from typing import Any

import pytest

from host.sdk.messages import Ignored, MessageKind, MessageReceived, MessageUnsent
from tests.instagram import world
from tests.instagram.world import ANA, POTTERY, Addon


def cut(ig: Addon, event: dict[str, Any]) -> Any:
    body = world.payload(world.entry(event, container="changes"))
    (envelope,) = ig.webhook.envelopes.cut(body, ig.accounts.book.get(), world.SECRET.encode())
    return envelope


@pytest.mark.parametrize(
    ("what", "kind"),
    [
        ({"message": {"mid": "m1", "text": "Hi"}}, MessageKind.TEXT),
        ({"postback": {"mid": "m2", "title": "Help", "payload": "HELP"}}, MessageKind.POSTBACK),
    ],
)
def test_a_message_among_changes_without_its_recipient_is_read(
    account: Any, ig: Addon, what: dict[str, Any], kind: MessageKind
) -> None:
    value = {"sender": {"id": ANA}, "timestamp": "1760000001321", **what}
    envelope = cut(ig, {"field": "messages", "value": value})
    assert (envelope.lane, envelope.set_aside, envelope.ignored) == (ANA, "", "")
    (change,) = ig.webhook.events.parse(envelope)
    assert isinstance(change, MessageReceived)
    assert (change.contact, change.kind) == (ANA, kind)


def comment(**value: Any) -> dict[str, Any]:
    return {"field": "comments", "value": {"from": {"id": ANA, "username": "ana"}, **value}}


def parsed(ig: Addon, event: dict[str, Any]) -> Any:
    return ig.comments.events.parse(world.envelope(event, container="changes"))


def test_a_comment_without_an_id_is_shown(ig: Addon) -> None:
    (change,) = parsed(ig, comment(text="How much?", media={"id": "17895000000100130"}))
    assert isinstance(change, MessageReceived)
    assert (change.contact, change.external_id, change.text) == (ANA, None, "How much?")
    assert isinstance(parsed(ig, comment())[0], Ignored), "nothing to show"


def test_a_removed_comment_is_taken_back_although_it_came_before(comments: Any, ig: Addon) -> None:
    written, removed = comment(id="17900", text="Hm"), comment(id="17900", text="Hm", verb="remove")
    (change,) = parsed(ig, removed)
    assert isinstance(change, MessageUnsent)
    assert change.external_id == "17900"
    first, second = cut(ig, written), cut(ig, removed)
    assert first.dedupe_key != second.dedupe_key
    assert change.carried_by == (first.dedupe_key,)


@pytest.mark.parametrize(
    ("sent", "kind", "words"),
    [
        ({"type": "share", "payload": {"title": "Tide mug", "name": "Shop"}}, "share", "Tide mug\nShop"),
        ({"type": "location", "payload": {"title": "Pier 3", "url": "https://maps.example/3"}}, "share", ""),
        ({"type": "location", "payload": {"title": "Pier 3"}}, "text", "Pier 3"),
    ],
)
def test_a_share_or_a_place_shows_its_words_or_its_link(
    ig: Addon, sent: dict[str, Any], kind: str, words: str
) -> None:
    (change,) = ig.webhook.events.parse(
        world.envelope(world.item(POTTERY, message={"mid": "m1", "attachments": [sent]}))
    )
    assert (change.kind, change.text) == (kind, words)
    assert [one.url for one in change.attachments] == [u for u in (sent["payload"].get("url"),) if u]
