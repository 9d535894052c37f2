"""The Send API: what is accepted, and each refusal."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sandbox import seed
from tests.sandbox.helpers import ANA, IG_LONG, LONG, Desk, Meta, error_of

DAY = 86400
PNG = {"type": "image", "payload": {"url": "https://cdn.example/a.png"}}
STUDIO = "EAASANDBOXStudioLong100000000000002"
WINDOW = "This message is sent outside of allowed window."


@pytest.fixture
def spoken(meta: Meta) -> Meta:
    """A sandbox where Ana has written, and media are not fetched."""
    meta.control("PATCH", "settings", {"fetch_media": False})
    meta.dm("hello")
    return meta


def test_a_text_is_accepted_as_json_and_as_form(spoken: Meta) -> None:
    answer = spoken.send("Yes, 3 left")
    assert answer.status_code == 200
    assert answer.json()["recipient_id"] == ANA
    mid = answer.json()["message_id"]
    assert mid.startswith("aWdfZAG1faXRlbTox")
    assert len(mid) > 100
    form = {"recipient": json.dumps({"id": ANA}), "message": json.dumps({"text": "Bye"})}
    assert spoken.graph("POST", "100000000000001/messages", data=form).json()["recipient_id"] == ANA
    sends = spoken.ledger("send")
    assert [(entry["text"], entry["answered"]) for entry in sends] == [("Yes, 3 left", True), ("Bye", True)]
    assert sends[0]["mid"] == mid
    assert sends[0]["token"] == "pottery-long"
    assert LONG not in json.dumps(spoken.ledger(bodies="1"))


def test_a_text_may_have_a_thousand_bytes(spoken: Meta) -> None:
    assert spoken.send("ä" * 500).status_code == 200
    assert error_of(spoken.send("ä" * 500 + "a")) == (400, 100, None)
    assert error_of(spoken.send("")) == (400, 100, 2018034)


def test_the_window_closes_after_a_day_on_both_roads(spoken: Meta) -> None:
    spoken.control("POST", "clock", {"advance": DAY - 60})
    assert spoken.send().status_code == 200
    spoken.control("POST", "clock", {"advance": 120})
    on_f = spoken.send()
    assert error_of(on_f) == (400, 10, 2534022)
    assert on_f.json()["error"]["type"] == "OAuthException"
    assert on_f.json()["error"]["message"].startswith(f"(#10) {WINDOW}")
    assert on_f.json()["error"]["fbtrace_id"]
    on_i = spoken.send(token=IG_LONG, flavour="I")
    assert error_of(on_i) == (403, 10, 2534022)
    assert on_i.json()["error"]["type"] == "IGApiException"
    assert on_i.json()["error"]["message"].startswith(WINDOW)
    spoken.dm("me again")
    assert spoken.send().status_code == 200


def test_a_human_agent_has_seven_days_when_approved(spoken: Meta) -> None:
    human = {"tag": "HUMAN_AGENT", "messaging_type": "MESSAGE_TAG"}
    spoken.control("POST", "clock", {"advance": 6 * DAY})
    assert spoken.send(**human).status_code == 200
    spoken.control("PATCH", "accounts/sample.pottery", {"human_agent": False})
    assert error_of(spoken.send(**human)) == (400, 10, None)
    spoken.control("PATCH", "accounts/sample.pottery", {"human_agent": True})
    spoken.control("POST", "clock", {"advance": DAY + 60})
    assert error_of(spoken.send(**human)) == (400, 10, 2534022)


def test_other_tags_are_gone(spoken: Meta) -> None:
    assert error_of(spoken.send(tag="ACCOUNT_UPDATE")) == (400, 100, None)
    assert error_of(spoken.send(tag="NONSENSE")) == (400, 100, None)
    assert error_of(spoken.send(messaging_type="MESSAGE_TAG")) == (400, 100, None)
    assert spoken.send(messaging_type="RESPONSE").status_code == 200


def test_only_what_a_customer_says_opens_the_window(meta: Meta) -> None:
    assert error_of(meta.send()) == (400, 10, 2534022)
    meta.control("POST", "dm", {"customer": ANA, "kind": "referral"})
    assert error_of(meta.send()) == (400, 10, 2534022)
    meta.control("POST", "dm", {"customer": ANA, "kind": "postback"})
    assert meta.send().status_code == 200


def test_a_recipient_must_be_a_customer_of_the_account(spoken: Meta) -> None:
    assert error_of(spoken.send(recipient={"id": "1026999999999999"})) == (400, 100, 2534014)
    assert error_of(spoken.send(recipient={"id": "1026000000000011"})) == (400, 100, 2534014)
    assert error_of(spoken.send(recipient=None)) == (400, 100, None)


def test_switches_of_page_and_account_stop_sending(spoken: Meta) -> None:
    unlinked = "EAASANDBOXUnlinkedLong100000000000004"
    assert error_of(spoken.send(token=unlinked)) == (400, 100, 2534013)
    spoken.control("PATCH", "accounts/sample.pottery", {"allow_messages": False})
    assert error_of(spoken.send()) == (400, 200, 2534041)
    assert error_of(spoken.send(token=IG_LONG, flavour="I")) == (403, 200, 2534041)
    spoken.control("PATCH", "accounts/sample.pottery", {"allow_messages": True, "messaging_blocked": True})
    assert error_of(spoken.send()) == (400, 100, 2534029)


def test_a_customer_who_is_not_available(spoken: Meta) -> None:
    spoken.control("PATCH", "customers/ana.sample", {"available": False})
    assert error_of(spoken.send()) == (400, 551, None)


def test_an_app_that_is_not_live_reaches_only_people_with_a_role(spoken: Meta) -> None:
    spoken.control("PATCH", f"apps/{seed.APP_ID}", {"mode": "dev"})
    assert error_of(spoken.send()) == (400, 200, 2018028)
    spoken.control("PATCH", f"apps/{seed.APP_ID}", {"roles": [ANA]})
    assert spoken.send().status_code == 200


def test_the_rate_limit_is_kept_when_asked_for(spoken: Meta) -> None:
    spoken.control("PATCH", "settings", {"enforce_rates": True})
    path, query = "me/conversations", {"platform": "instagram"}
    answers = [spoken.graph("GET", path, params=query) for _ in range(3)]
    assert [answer.status_code for answer in answers[:2]] == [200, 200]
    assert error_of(answers[2]) == (400, 613, 2534040)


def test_audio_and_video_have_a_limit_of_their_own(spoken: Meta) -> None:
    spoken.control("PATCH", "settings", {"enforce_rates": True})
    video = {"attachment": {"type": "video", "payload": {"url": "https://example.com/a.mp4"}}}
    answers = [spoken.send(video) for _ in range(11)]
    assert {answer.status_code for answer in answers[:10]} == {200}
    assert error_of(answers[10]) == (400, 613, 2534040)
    assert spoken.send().status_code == 200


@pytest.mark.parametrize(
    "message",
    [
        {"attachment": PNG},
        {"attachments": [PNG] * 10},
        {"attachments": PNG},
        {"attachment": {"type": "like_heart"}},
        {"attachment": {"type": "MEDIA_SHARE", "payload": {"id": "17895000000000001"}}},
        {"text": "Pick", "quick_replies": [{"content_type": "text", "title": "Red", "payload": "RED"}] * 13},
        {
            "attachment": {
                "type": "template",
                "payload": {
                    "template_type": "generic",
                    "elements": [
                        {
                            "title": "Tide mug",
                            "subtitle": "28.00",
                            "buttons": [
                                {"type": "web_url", "url": "https://shop.example/1", "title": "View"},
                                {"type": "postback", "title": "Hold", "payload": "HOLD"},
                            ],
                        }
                    ],
                },
            }
        },
        {
            "attachment": {
                "type": "template",
                "payload": {
                    "template_type": "button",
                    "text": "What next?",
                    "buttons": [{"type": "postback", "title": "Start", "payload": "S"}],
                },
            }
        },
        {
            "attachment": {
                "type": "template",
                "payload": {"template_type": "product", "elements": [{"id": "4381572605000001"}]},
            }
        },
    ],
)
def test_every_documented_shape_is_taken(spoken: Meta, message: dict[str, Any]) -> None:
    answer = spoken.send(message)
    assert answer.status_code == 200, answer.text
    assert answer.json()["message_id"]


def _generic(**element: Any) -> dict[str, Any]:
    payload = {"template_type": "generic", "elements": [{"title": "T", "subtitle": "S", **element}]}
    return {"attachment": {"type": "template", "payload": payload}}


BUTTON = {"type": "postback", "title": "A", "payload": "B"}


@pytest.mark.parametrize(
    ("message", "subcode"),
    [
        ({}, 2018034),
        ({"text": "both", "attachment": PNG}, 2534015),
        ({"attachments": [PNG] * 11}, None),
        ({"attachments": [PNG, {"type": "video", "payload": {"url": "https://cdn.example/a.mp4"}}]}, 2534015),
        ({"attachment": {"type": "hologram", "payload": {}}}, None),
        ({"attachment": {"type": "image", "payload": {}}}, 2018008),
        ({"attachment": {"type": "image", "payload": {"attachment_id": "1"}}}, 2018074),
        ({"text": "x", "quick_replies": [{"content_type": "text", "title": "R", "payload": "R"}] * 14}, None),
        ({"text": "x", "quick_replies": [{"content_type": "text", "title": "R"}]}, None),
        (_generic(title="x" * 81), None),
        (_generic(subtitle="x" * 81), None),
        (_generic(buttons=[BUTTON] * 4), None),
        (_generic(buttons=[{**BUTTON, "type": "phone_number"}]), None),
        (_generic(buttons=[{**BUTTON, "title": "x" * 21}]), None),
        ({"attachment": {"type": "template", "payload": {"template_type": "generic", "elements": []}}}, None),
        ({"attachment": {"type": "template", "payload": {"template_type": "list"}}}, None),
        ({"attachment": {"type": "template", "payload": {"template_type": "button", "text": "x"}}}, None),
    ],
)
def test_every_limit_is_kept(spoken: Meta, message: dict[str, Any], subcode: int | None) -> None:
    assert error_of(spoken.send(message)) == (400, 100, subcode)


def test_a_long_quick_reply_is_cut_not_refused(connected: Meta) -> None:
    connected.dm()
    reply = {"content_type": "text", "title": "x" * 30, "payload": "X"}
    assert connected.send({"text": "Pick", "quick_replies": [reply]}).status_code == 200
    view = connected.session.get(f"{connected.url}/phone/view", params={"customer": ANA}).json()
    assert view["messages"][-1]["quick_replies"] == [{"title": "x" * 20, "payload": "X"}]


def test_media_are_fetched_checked_and_kept(meta: Meta) -> None:
    meta.dm(kind="image")
    thread = meta.get("me/conversations", platform="instagram", fields="messages{attachments}")
    url = thread["data"][0]["messages"]["data"][0]["attachments"]["data"][0]["image_data"]["url"]
    assert meta.send({"attachment": {"type": "image", "payload": {"url": url}}}).status_code == 200
    wrong_kind = {"attachment": {"type": "file", "payload": {"url": url}}}
    assert error_of(meta.send(wrong_kind)) == (400, 100, 2018047)
    gone = {"attachment": {"type": "image", "payload": {"url": url + "x"}}}
    assert error_of(meta.send(gone)) == (400, 100, 2018008)


def test_an_uploaded_file_is_sent_by_id(meta: Meta) -> None:
    meta.dm()
    message = json.dumps({"attachment": {"type": "image", "payload": {"is_reusable": "true"}}})
    upload = meta.graph(
        "POST",
        "me/message_attachments",
        data={"platform": "instagram", "message": message},
        files={"filedata": ("a.png", b"\x89PNG", "image/png")},
    )
    attachment_id = upload.json()["attachment_id"]
    payload = {"attachment_id": attachment_id}
    assert meta.send({"attachment": {"type": "image", "payload": payload}}).status_code == 200
    assert error_of(meta.send({"attachment": {"type": "video", "payload": payload}})) == (400, 100, 2018047)
    meta.dm(customer="1026000000000011")
    theirs = meta.send(
        {"attachment": {"type": "image", "payload": payload}},
        token=STUDIO,
        recipient={"id": "1026000000000011"},
    )
    assert error_of(theirs) == (400, 100, 2018074)


def test_actions_and_reactions_answer_without_a_message_id(connected: Meta, desk: Desk) -> None:
    mid = connected.dm()["mid"]
    desk.wait(1)
    for action in ("typing_on", "typing_off", "mark_seen"):
        assert connected.send(None, sender_action=action).json() == {"recipient_id": ANA}
    payload = {"message_id": mid, "reaction": "love"}
    assert connected.send(None, sender_action="react", payload=payload).json() == {"recipient_id": ANA}
    other = {"message_id": mid, "reaction": "👍"}
    assert error_of(connected.send(None, sender_action="react", payload=other)) == (400, 100, None)
    by_login = connected.send(None, token=IG_LONG, flavour="I", sender_action="react", payload=other)
    assert by_login.json() == {"recipient_id": ANA}
    assert error_of(connected.send("text too", sender_action="typing_on")) == (400, 100, None)
    assert error_of(connected.send(None, sender_action="dance")) == (400, 100, None)
    connected.idle()
    assert len(desk.events()) == 1


def test_a_comment_gets_one_private_reply(connected: Meta) -> None:
    comment = connected.dm("price?", kind="comment")["mid"]
    recipient = {"comment_id": comment}
    answer = connected.send("28.00", recipient=recipient)
    assert answer.json()["recipient_id"] == ANA
    assert error_of(connected.send("28.00", recipient=recipient)) == (400, 100, 2534025)
    assert error_of(connected.send("More?")) == (400, 10, 2534022)
    late = connected.dm("and now?", kind="comment")["mid"]
    connected.control("POST", "clock", {"advance": 7 * DAY + 60})
    assert error_of(connected.send("x", recipient={"comment_id": late})) == (400, 100, 2534025)


@pytest.mark.parametrize("road", [{}, {"token": IG_LONG, "flavour": "I"}], ids=["page", "login"])
def test_a_reply_names_a_message_of_the_thread(spoken: Meta, road: dict[str, str]) -> None:
    mid = spoken.dm("which one?")["mid"]
    answer = spoken.send("This one", reply_to={"mid": mid}, **road)
    assert answer.status_code == 200, answer.text
    sent = spoken.session.get(f"{spoken.url}/phone/view", params={"customer": ANA}).json()["messages"][-1]
    assert (sent["text"], sent["quote"]) == ("This one", "which one?")
    assert error_of(spoken.send("This one", reply_to={"mid": "nothing"}, **road)) == (400, 100, None)


def test_paths_that_do_not_exist(spoken: Meta) -> None:
    assert error_of(spoken.graph("POST", "me/shoes")) == (400, 2500, None)
    assert error_of(spoken.graph("GET", "999")) == (400, 100, 33)
    broken = spoken.session.post(
        f"{spoken.url}/graph.facebook.com/v26.0/me/messages",
        params={"access_token": LONG},
        data="{",
        headers={"Content-Type": "application/json"},
    )
    assert error_of(broken) == (400, 100, None)
