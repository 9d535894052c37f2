"""Webhooks: verification, signature, payloads, who gets them, retries."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sandbox import seed
from tests.sandbox.helpers import ANA, IG_LONG, Desk, Meta, poll

IGID = "17841400000000001"


def test_registering_a_webhook_verifies_it(meta: Meta, desk: Desk) -> None:
    wrong = meta.control("POST", "webhook", {"callback_url": desk.url, "verify_token": "w"}, 422)
    assert (wrong["verified"], wrong["status"]) == (False, 403)
    desk.answer_challenge = False
    odd = meta.control("POST", "webhook", {"callback_url": desk.url, "verify_token": "v"}, 422)
    assert (odd["verified"], odd["answer"]) == (False, "hello")
    desk.answer_challenge = True
    right = meta.control("POST", "webhook", {"callback_url": desk.url, "verify_token": "v"})
    assert right["verified"]
    assert right["answer"] == right["challenge"]
    assert [entry["verified"] for entry in meta.ledger("verification")] == [False, False, True]


def test_a_receiver_that_is_not_there_fails_the_verification(meta: Meta) -> None:
    body = {"callback_url": "http://127.0.0.1:9/", "verify_token": "v"}
    assert meta.control("POST", "webhook", body, 422)["status"] is None


def test_a_dm_arrives_signed_over_escaped_unicode(connected: Meta, desk: Desk) -> None:
    mid = connected.dm("Grüße, schön! 🏺❤️")["mid"]
    desk.wait(1)
    raw, _ = desk.posts[0]
    assert raw.isascii()
    assert b"Gr\\u00fc\\u00dfe, sch\\u00f6n! \\ud83c\\udffa" in raw
    assert desk.signatures() == [True]
    body = json.loads(raw)
    assert body["object"] == "instagram"
    assert body["entry"][0]["id"] == IGID
    event = body["entry"][0]["messaging"][0]
    assert event["sender"] == {"id": ANA}
    assert event["recipient"] == {"id": IGID}
    assert event["message"] == {"mid": mid, "text": "Grüße, schön! 🏺❤️"}
    assert len(str(event["timestamp"])) == 13


def test_an_answer_comes_back_as_an_echo(connected: Meta, desk: Desk) -> None:
    connected.dm()
    mid = connected.send("Yes")
    echo = desk.wait(2)[1]
    assert echo["sender"] == {"id": IGID}
    assert echo["recipient"] == {"id": ANA}
    assert echo["message"] == {"mid": mid.json()["message_id"], "text": "Yes", "is_echo": True}
    connected.idle()
    sent = connected.ledger("webhook")
    assert [(entry["echo"], entry["status"]) for entry in sent] == [(False, 200), (True, 200)]


def test_the_shops_own_phone_echoes_too(connected: Meta, desk: Desk) -> None:
    mid = connected.control("POST", "native-reply", {"customer": ANA, "text": "From my phone"})["mid"]
    message = desk.wait(1)[0]["message"]
    assert message == {"mid": mid, "text": "From my phone", "is_echo": True}
    assert connected.ledger("send") == []


SHAPES: dict[str, Any] = {
    "image": lambda e: e["message"]["attachments"][0]["type"] == "image",
    "video": lambda e: e["message"]["attachments"][0]["payload"]["url"].startswith("http"),
    "audio": lambda e: e["message"]["attachments"][0]["type"] == "audio",
    "file": lambda e: e["message"]["attachments"][0]["type"] == "file",
    "sticker": lambda e: e["message"]["attachments"][0]["type"] == "sticker",
    "several": lambda e: (
        [part["type"] for part in e["message"]["attachments"]] == ["image", "video", "audio", "file"]
    ),
    "gif": lambda e: e["message"]["attachments"][0]["type"] == "image",
    "like_heart": lambda e: e["message"]["attachments"] == [{"type": "like_heart"}],
    "story_mention": lambda e: e["message"]["attachments"][0]["type"] == "story_mention",
    "story_reply": lambda e: set(e["message"]["reply_to"]["story"]) == {"id", "url"},
    "reply": lambda e: e["message"]["reply_to"]["mid"].startswith("aWdf"),
    "quick_reply": lambda e: e["message"]["quick_reply"] == {"payload": "RED"},
    "share": lambda e: set(e["message"]["attachments"][0]["payload"]) == {"url"},
    "ig_post": lambda e: "ig_post_media_id" in e["message"]["attachments"][0]["payload"],
    "ig_reel": lambda e: "reel_video_id" in e["message"]["attachments"][0]["payload"],
    "reel": lambda e: e["message"]["attachments"][0]["type"] == "reel",
    "story": lambda e: e["message"]["attachments"][0]["type"] == "story",
    "ig_story": lambda e: (
        set(e["message"]["attachments"][0]["payload"]) == {"story_media_id", "story_media_url"}
        and "reply_to" not in e["message"]
    ),
    "ephemeral": lambda e: e["message"]["attachments"] == [{"type": "ephemeral"}],
    "unsupported": lambda e: e["message"]["is_unsupported"] is True,
    "fallback": lambda e: e["message"]["attachments"] == [{"type": "fallback", "payload": None}],
    "ad": lambda e: e["message"]["referral"]["source"] == "ADS",
    "product": lambda e: e["message"]["referral"]["product"]["id"],
    "postback": lambda e: set(e["postback"]) == {"mid", "title", "payload"},
    "ad_postback": lambda e: e["postback"]["title"] and e["postback"]["referral"]["source"] == "ADS",
    "referral": lambda e: e["referral"]["type"] == "OPEN_THREAD",
    "reaction": lambda e: e["reaction"]["action"] == "react" and e["reaction"]["emoji"] == "❤️",
    "unreact": lambda e: set(e["reaction"]) == {"mid", "action"},
    "read": lambda e: set(e["read"]) == {"mid"},
    "edit": lambda e: e["message_edit"]["num_edit"] == 1,
    "optin": lambda e: e["optin"]["type"] == "notification_messages" and e["optin"]["title"],
    "feedback": lambda e: set(e["response_feedback"]) == {"feedback", "mid"},
    "unsend": lambda e: e["message"]["is_deleted"] is True,
    "echo": lambda e: e["message"]["is_echo"] is True and e["sender"] == {"id": IGID},
    "unknown": lambda e: e["hologram"] == {"shape": "teapot", "sparkles": True},
}


@pytest.mark.parametrize("kind", SHAPES)
def test_everything_a_customer_does_has_its_documented_shape(connected: Meta, desk: Desk, kind: str) -> None:
    connected.dm("first")
    connected.send("answer")
    desk.wait(2)
    done = connected.dm("RED", kind=kind)
    assert done["webhooks"] == 1
    assert SHAPES[kind](desk.wait(3)[2])
    assert all(desk.signatures())


def test_every_kind_has_a_shape_test(meta: Meta) -> None:
    known = meta.control("POST", "dm", {"customer": ANA, "kind": "?"}, 400)["error"]
    kinds = set(known.removeprefix("kind must be one of ").split(", "))
    below = {"comment", "comment_reply", "comment_edit", "comment_delete", "own_comment"}
    assert kinds == set(SHAPES) | {"text", "standby"} | below | {"mention", "caption_mention"}


def test_what_is_written_while_another_app_has_the_thread_stands_apart(connected: Meta, desk: Desk) -> None:
    made = connected.dm("Is anybody there?", kind="standby")
    entry = poll(desk.bodies)[0]["entry"][0]
    assert "messaging" not in entry
    assert entry["standby"][0]["message"] == {"mid": made["mid"], "text": "Is anybody there?"}


def test_generated_files_are_what_they_say(meta: Meta) -> None:
    starts = {
        "image": b"\x89PNG",
        "sticker": b"\x89PNG",
        "gif": b"GIF89a",
        "audio": b"RIFF",
        "video": b"\0\0\0",
        "file": b"%PDF",
    }
    for kind in starts:
        meta.dm(kind=kind)
    view = meta.session.get(f"{meta.url}/phone/view", params={"customer": ANA}).json()
    for message, (kind, start) in zip(view["messages"], starts.items(), strict=True):
        answer = meta.session.get(message["attachments"][0]["url"])
        assert answer.content.startswith(start), kind
        assert len(answer.content) > 300


def test_a_comment_is_a_change(connected: Meta, desk: Desk) -> None:
    made = connected.dm("price?", kind="comment")
    entry = poll(desk.bodies)[0]["entry"][0]
    assert len(str(entry["time"])) == 10
    assert entry["changes"][0]["field"] == "comments"
    assert entry["changes"][0]["value"]["comment_id"] == made["mid"]


def test_the_dashboards_test_button_has_two_shapes(connected: Meta, desk: Desk) -> None:
    assert connected.control("POST", "test", {"shape": "messaging"})["status"] == 200
    assert connected.control("POST", "test", {"shape": "changes"})["status"] == 200
    first, second = desk.bodies()
    assert first["entry"][0]["id"] == second["entry"][0]["id"] == "0"
    assert first["entry"][0]["messaging"][0]["timestamp"] == "1527459824"
    assert second["entry"][0]["changes"][0]["value"]["message"]["mid"] == "random_mid"
    assert desk.signatures() == [True, True]


def test_media_addresses_work_until_the_story_is_gone(connected: Meta, desk: Desk) -> None:
    connected.dm(kind="story_mention")
    url = desk.wait(1)[0]["message"]["attachments"][0]["payload"]["url"]
    assert connected.session.get(url).headers["Content-Type"] == "image/png"
    assert connected.session.get(url[:-1]).status_code == 404
    connected.control("POST", "clock", {"advance": 24 * 3600 + 1})
    assert connected.session.get(url).status_code == 404


def test_nobody_subscribed_means_no_webhook(meta: Meta, desk: Desk) -> None:
    meta.control("POST", "webhook", {"callback_url": desk.url, "verify_token": "v"})
    assert meta.dm()["reason"] == "no app is subscribed to the account"
    assert meta.ledger("webhook_skipped")[0]["customer"] == ANA


def test_another_page_being_subscribed_does_not_help(connected: Meta, desk: Desk) -> None:
    assert connected.dm(customer="1026000000000011")["webhooks"] == 0
    assert desk.posts == []


@pytest.mark.parametrize(
    ("path", "change", "reason"),
    [
        (f"apps/{seed.APP_ID}", {"mode": "dev"}, "the app is not live"),
        (f"apps/{seed.APP_ID}", {"fields": ["comments"]}, "the app did not select the field messages"),
        (
            "accounts/sample.pottery",
            {"allow_messages": False},
            "the account does not allow access to messages",
        ),
        (
            f"apps/{seed.APP_ID}",
            {"access": "standard"},
            "the app has standard access and the customer no role in it",
        ),
    ],
)
def test_switches_that_stop_webhooks(connected: Meta, path: str, change: Any, reason: str) -> None:
    connected.control("PATCH", path, change)
    assert connected.dm()["reason"] == reason


def test_the_other_road_may_have_its_own_secret(meta: Meta, desk: Desk) -> None:
    meta.control("POST", "webhook", {"callback_url": desk.url, "verify_token": "v"})
    meta.control("PATCH", f"apps/{seed.APP_ID}", {"instagram_secret": "other"})
    fields = {"subscribed_fields": "messages,messaging_seen"}
    meta.graph("POST", "me/subscribed_apps", IG_LONG, "I", params=fields)
    meta.dm()
    desk.wait(1)
    assert desk.signatures("other") == [True]


def test_a_webhook_not_answered_200_is_tried_again(connected: Meta, desk: Desk) -> None:
    desk.statuses = [500]
    connected.dm()
    poll(lambda: len(desk.posts) == 2)
    assert desk.posts[0] == desk.posts[1]
    tries = poll(lambda: [e for e in connected.ledger("webhook") if e["attempt"] == 2])
    assert tries[0]["status"] == 200


def test_retries_follow_the_clock_and_end_in_unsubscription(connected: Meta, desk: Desk) -> None:
    app = {"retry_seconds": [600, 7200], "disable_after": 3600}
    connected.control("PATCH", f"apps/{seed.APP_ID}", app)
    desk.statuses = [500, 500, 500]
    connected.dm()
    connected.idle()
    connected.control("POST", "clock", {"advance": 601})
    poll(lambda: len(connected.ledger("webhook")) == 2)
    poll(lambda: connected.control("GET", "state")["queue"]["planned"])
    connected.control("POST", "clock", {"advance": 7201})
    poll(lambda: connected.ledger("webhooks_disabled"))
    assert connected.get("me/subscribed_apps") == {"data": []}


def test_one_customers_messages_keep_their_order(connected: Meta, desk: Desk) -> None:
    for number in range(20):
        connected.dm(str(number))
    texts = [event["message"]["text"] for event in desk.wait(20)]
    assert texts == [str(number) for number in range(20)]


def test_raw_events_are_wrapped_and_raw_bodies_are_not(connected: Meta, desk: Desk) -> None:
    inner = {"sender": {"id": ANA}, "recipient": {"id": IGID}, "timestamp": 1, "odd": {"a": "ü"}}
    assert connected.control("POST", "events", {"messaging": inner})["webhooks"] == 1
    assert desk.wait(1) == [inner]
    assert connected.control("POST", "events", {"standby": inner, "field": "standby"})["webhooks"] == 1
    assert poll(lambda: desk.bodies()[1:])[0]["entry"][0]["standby"] == [inner]
    for signature, right in (("right", True), ("wrong", False), ("none", False), ("sha256=00", False)):
        answer = connected.control("POST", "webhook/raw", {"body": "[not json", "signature": signature})
        assert answer["status"] == 200
        assert desk.signatures()[-1] is right
        assert desk.posts[-1][0] == b"[not json"
