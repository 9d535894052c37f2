"""WhatsApp: what the customer does, what becomes of messages, and the webhooks of both."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sandbox.whatsapp import notices, play, seed
from tests.sandbox.cloud import ANA, GIL, KIT, NUMBER, ROSA, WABA, Cloud, told, values
from tests.sandbox.helpers import Desk

BUSINESS = "15550100100"
REPLY = {"type": "reply", "reply": {"id": "yes", "title": "Yes"}}
ROW = {"id": "mon", "title": "Monday", "description": "all day"}
TAPS = {"type": "button", "body": {"text": "Well?"}, "action": {"buttons": [REPLY]}}
DAYS = {
    "type": "list",
    "body": {"text": "When?"},
    "action": {"button": "Days", "sections": [{"rows": [ROW]}]},
}


SALE = [
    {"type": "header", "parameters": [{"type": "image", "image": {"link": "http://x.example/p.png"}}]},
    {"type": "body", "parameters": [{"type": "text", "text": "Ana"}]},
    {"type": "button", "sub_type": "url", "index": 2, "parameters": [{"type": "text", "text": "s"}]},
]


def test_the_envelope(linked: Cloud, desk: Desk) -> None:
    mid = linked.act(text="Grüße 🏺")["mid"]
    linked.meta.idle()
    raw, _ = desk.posts[0]
    assert raw.isascii()
    assert desk.signatures(seed.APP_SECRET) == [True]
    body = json.loads(raw)
    timestamp = body["entry"][0]["changes"][0]["value"]["messages"][0].pop("timestamp")
    assert timestamp.isdigit()
    assert body == {
        "object": "whatsapp_business_account",
        "entry": [
            {
                "id": WABA,
                "changes": [
                    {
                        "value": {
                            "messaging_product": "whatsapp",
                            "metadata": {"display_phone_number": BUSINESS, "phone_number_id": NUMBER},
                            "contacts": [
                                {
                                    "profile": {"name": "Ana Q."},
                                    "wa_id": ANA,
                                    "user_id": "US.13491208655302741001",
                                }
                            ],
                            "messages": [
                                {
                                    "from": ANA,
                                    "from_user_id": "US.13491208655302741001",
                                    "id": mid,
                                    "type": "text",
                                    "text": {"body": "Grüße 🏺"},
                                }
                            ],
                        },
                        "field": "messages",
                    }
                ],
            }
        ],
    }


MEDIA = {"mime_type", "sha256", "id", "url"}
SHAPES: dict[str, Any] = {
    "text": lambda m: m["text"] == {"body": "RED"},
    "image": lambda m: set(m["image"]) == MEDIA | {"caption"} and m["image"]["mime_type"] == "image/png",
    "video": lambda m: set(m["video"]) == MEDIA | {"caption"},
    "audio": lambda m: m["audio"]["voice"] is False and set(m["audio"]) == MEDIA | {"voice"},
    "voice": lambda m: m["audio"]["voice"] is True and m["audio"]["mime_type"] == "audio/ogg; codecs=opus",
    "document": lambda m: m["document"]["filename"] == "sample.pdf" and m["document"]["caption"] == "RED",
    "sticker": lambda m: m["sticker"]["animated"] is False and m["sticker"]["mime_type"] == "image/webp",
    "location": lambda m: set(m["location"]) == {"latitude", "longitude", "name", "address"},
    "contact": lambda m: m["contacts"][0]["name"]["formatted_name"] == "RED",
    "reaction": lambda m: set(m["reaction"]) == {"message_id", "emoji"} and m["reaction"]["emoji"] == "RED",
    "unreact": lambda m: m["reaction"]["emoji"] == "",
    "reply": lambda m: m["context"]["from"] == BUSINESS and m["context"]["id"].startswith("wamid."),
    "forwarded": lambda m: m["context"] == {"forwarded": True},
    "product": lambda m: set(m["context"]["referred_product"]) == {"catalog_id", "product_retailer_id"},
    "ad": lambda m: m["referral"]["source_type"] == "ad" and m["referral"]["ctwa_clid"],
    "order": lambda m: (
        m["order"]["product_items"][0]["quantity"] == 2
        and set(m["order"]) == {"catalog_id", "text", "product_items"}
    ),
    "form": lambda m: (
        set(m["interactive"]["nfm_reply"]) == {"name", "body", "response_json"}
        and json.loads(m["interactive"]["nfm_reply"]["response_json"])["screen_0_Which_day_0"] == "RED"
    ),
    "unsupported": lambda m: m["errors"][0]["code"] == 131051 and m["type"] == "unsupported",
    "call_permission": lambda m: m["interactive"]["call_permission_reply"]["response"] == "RED",
    "welcome": lambda m: m["type"] == "request_welcome",
    "group": lambda m: m["group_id"] and m["text"] == {"body": "RED"},
    "no_metadata": lambda m: m["text"] == {"body": "RED"},
    "other_number": lambda m: m["text"] == {"body": "RED"},
    "new_id": lambda m: (
        m["system"]["type"] == "user_changed_user_id"
        and m["system"]["previous_user_id"] == m["from_user_id"] != m["system"]["user_id"]
    ),
    "edit": lambda m: set(m["edit"]) == {"original_message_id", "message"},
    "revoke": lambda m: set(m["revoke"]) == {"original_message_id"},
}
OWN_TESTS = {
    *("button", "button_reply", "list_reply", "system", "read", "played"),
    *("standby", "agent", "pass_control", "take_control", "contact_request", "call"),
    *("app_echo", "app_contact", "history", "history_file", "history_declined"),
    *("stop_marketing", "resume_marketing"),
}
FIELDS = notices.ABOUT_THE_ACCOUNT


def test_every_kind_has_a_test() -> None:
    assert {*SHAPES, *OWN_TESTS, *FIELDS} == set(play.KINDS)


@pytest.mark.parametrize("kind", SHAPES)
def test_what_a_customer_does(linked: Cloud, desk: Desk, kind: str) -> None:
    linked.act()
    linked.sent()
    linked.meta.idle()
    before = len(values(desk))
    assert linked.act(kind, text="RED")["webhooks"] == 1
    linked.meta.idle()
    message = values(desk)[before]["messages"][0]
    assert message["from"] == ANA
    assert SHAPES[kind](message), message


@pytest.mark.parametrize("kind", FIELDS)
def test_what_meta_tells_of_an_account(linked: Cloud, desk: Desk, kind: str) -> None:
    assert linked.act(kind)["webhooks"] == 1
    linked.meta.idle()
    field, value = FIELDS[kind]
    assert values(desk, field) == [value]
    assert "time" in desk.bodies()[-1]["entry"][0]


def test_messages_that_name_no_number_or_another(linked: Cloud, desk: Desk) -> None:
    linked.act("no_metadata")
    linked.act("other_number")
    linked.meta.idle()
    nameless, other = values(desk)
    assert "metadata" not in nameless
    assert other["metadata"]["phone_number_id"] != NUMBER


def test_a_number_that_the_app_has_too(linked: Cloud, desk: Desk) -> None:
    for kind in ("app_echo", "app_contact", "history", "history_file", "history_declined"):
        assert linked.act(kind)["webhooks"] == 1
    linked.act("app_echo", text="Until six", edited=True)
    linked.act("app_echo", revoked=True)
    linked.meta.idle()
    wrote, edited, revoked = (one["message_echoes"][0] for one in values(desk, "smb_message_echoes"))
    assert (wrote["from"], wrote["to"], wrote["text"]) == (BUSINESS, ANA, {"body": "Yes, come by any time."})
    assert edited["edit"]["original_message_id"] == revoked["revoke"]["original_message_id"] == wrote["id"]
    assert edited["edit"]["message"]["text"] == {"body": "Until six"}
    (known,) = values(desk, "smb_app_state_sync")
    assert known["state_sync"][0]["contact"]["phone_number"] == ANA
    chunk, file, declined = values(desk, "history")
    assert set(chunk["history"][0]["metadata"]) == {"phase", "chunk_order", "progress"}
    (thread,) = chunk["history"][0]["threads"]
    assert [one["type"] for one in thread["messages"]] == ["text", "text", "media_placeholder"]
    assert all(one["history_context"] for one in thread["messages"])
    assert file["messages"][0]["type"] == "image"
    assert declined["history"][0]["errors"][0]["code"] == 2593109


def test_who_stops_marketing_messages_gets_none(linked: Cloud, desk: Desk) -> None:
    linked.meta.control("PATCH", "settings", {"fetch_media": False})
    sale = {"name": "spring_sale", "language": {"code": "en"}, "components": SALE}
    linked.act("stop_marketing")
    stopped = linked.sent("template", sale)
    linked.meta.idle()
    assert told(desk) == [("failed", stopped)]
    assert values(desk)[-1]["statuses"][0]["errors"][0]["code"] == 131050
    linked.act("resume_marketing")
    resumed = linked.sent("template", sale)
    linked.meta.idle()
    assert told(desk)[1:] == [("sent", resumed), ("delivered", resumed)]
    said = [one["user_preferences"][0] for one in values(desk, "user_preferences")]
    assert [(one["value"], one["category"], one["wa_id"]) for one in said] == [
        ("stop", "marketing_messages", ANA),
        ("resume", "marketing_messages", ANA),
    ]


def test_ids_for_all_businesses_of_an_owner(linked: Cloud, desk: Desk) -> None:
    parent = "US.ENT.11815799212886844830"
    linked.control("PATCH", f"customers/{ANA}", {"parent_id": parent})
    linked.act()
    linked.sent()
    linked.act("app_echo")
    linked.act("stop_marketing")
    linked.meta.idle()
    message, *statuses = values(desk)
    assert message["messages"][0]["from_parent_user_id"] == parent
    assert message["contacts"][0]["parent_user_id"] == parent
    assert [one["statuses"][0]["recipient_parent_user_id"] for one in statuses] == [parent] * 2
    assert values(desk, "smb_message_echoes")[0]["message_echoes"][0]["to_parent_user_id"] == parent
    assert values(desk, "user_preferences")[0]["user_preferences"][0]["parent_user_id"] == parent


@pytest.mark.parametrize(
    ("kind", "content", "expected"),
    [
        ("button_reply", TAPS, {"type": "button_reply", "button_reply": {"id": "yes", "title": "Yes"}}),
        ("list_reply", DAYS, {"type": "list_reply", "list_reply": ROW}),
    ],
)
def test_taps(linked: Cloud, desk: Desk, kind: str, content: Any, expected: Any) -> None:
    linked.act()
    mid = linked.sent("interactive", content)
    linked.act(kind)
    linked.meta.idle()
    message = values(desk)[-1]["messages"][0]
    assert message["context"] == {"from": BUSINESS, "id": mid}
    assert (message["type"], message["interactive"]) == ("interactive", expected)


def test_a_quick_reply_of_a_template(linked: Cloud, desk: Desk) -> None:
    linked.meta.control("PATCH", "settings", {"fetch_media": False})
    header = {
        "type": "header",
        "parameters": [{"type": "image", "image": {"link": "http://x.example/p.png"}}],
    }
    body = {"type": "body", "parameters": [{"type": "text", "text": "Ana"}]}
    url = {"type": "button", "sub_type": "url", "index": 2, "parameters": [{"type": "text", "text": "s"}]}
    payload = {"type": "payload", "payload": "SALE-YES"}
    quick = {"type": "button", "sub_type": "quick_reply", "index": "0", "parameters": [payload]}
    name = {"name": "spring_sale", "language": {"code": "en"}, "components": [header, body, url, quick]}
    mid = linked.sent("template", name)
    linked.act("button", text="Yes, please")
    linked.meta.idle()
    message = values(desk)[-1]["messages"][0]
    assert message["button"] == {"payload": "SALE-YES", "text": "Yes, please"}
    assert message["context"]["id"] == mid
    # A tap opens the window.
    linked.sent()


def test_a_new_number(linked: Cloud, desk: Desk) -> None:
    linked.act(text="before")
    linked.meta.idle()  # the new number is another lane, which waits for nothing of this one
    linked.act("system", text="15550100055")
    linked.meta.idle()
    value = values(desk)[-1]
    assert "contacts" not in value
    assert value["messages"][0]["from"] == ANA
    system = value["messages"][0]["system"]
    assert (system["type"], system["wa_id"]) == ("user_changed_number", "15550100055")
    linked.sent(to="15550100055")
    assert len(linked.control("GET", "messages?customer=15550100055")["messages"]) == 3


def test_statuses(linked: Cloud, desk: Desk) -> None:
    linked.act()
    mid = linked.sent(biz_opaque_callback_data="row-7")
    linked.meta.idle()
    assert linked.act("read")["webhooks"] == 1
    linked.meta.idle()
    assert told(desk) == [("sent", mid), ("delivered", mid), ("read", mid)]
    sent, delivered, read = (value["statuses"][0] for value in values(desk)[1:])
    assert sent["recipient_id"] == ANA
    assert sent["recipient_user_id"] == "US.13491208655302741001"
    assert sent["biz_opaque_callback_data"] == "row-7"
    free = {"billable": False, "pricing_model": "PMP", "category": "service", "type": "free_customer_service"}
    assert sent["pricing"] == delivered["pricing"] == free
    assert "conversation" not in sent
    assert "pricing" not in read
    assert values(desk)[1]["contacts"][0]["wa_id"] == ANA
    assert linked.act("read")["webhooks"] == 0


def test_the_conversation_object(linked: Cloud, desk: Desk) -> None:
    linked.control("PATCH", "settings", {"conversations": True})
    linked.act()
    linked.sent()
    linked.act("ad", customer=KIT)
    linked.control("PATCH", "settings", {"conversations": False})
    linked.sent(to=KIT)
    linked.meta.idle()
    told_of = [each for value in values(desk) for each in value.get("statuses", [])]
    assert [each["conversation"]["origin"]["type"] for each in told_of] == ["service"] * 2 + [
        "referral_conversion"
    ] * 2
    assert ["expiration_timestamp" in each["conversation"] for each in told_of] == [True, False] * 2
    assert told_of[2]["pricing"]["type"] == "free_entry_point"


def test_a_phone_that_is_off_stays_at_one_tick(linked: Cloud, desk: Desk) -> None:
    linked.act()
    linked.control("PATCH", f"customers/{ANA}", {"online": False})
    mid = linked.sent()
    linked.meta.idle()
    assert told(desk) == [("sent", mid)]
    linked.control("PATCH", f"customers/{ANA}", {"online": True, "receipts": False})
    linked.act("read")
    linked.meta.idle()
    assert told(desk) == [("sent", mid), ("delivered", mid)]


def test_statuses_overtake_fail_and_double(linked: Cloud, desk: Desk) -> None:
    linked.act()
    linked.control("PATCH", "settings", {"deliver": False})
    mid = linked.sent()
    linked.control("POST", "status", {"mid": mid, "status": "read"})
    linked.control("POST", "status", {"mid": mid, "status": "delivered", "copies": 2})
    linked.meta.idle()
    assert told(desk) == [("read", mid), ("delivered", mid), ("delivered", mid)]
    assert linked.control("GET", f"messages?customer={ANA}")["messages"][-1]["status"] == "read"
    linked.control("POST", "status", {"mid": mid, "status": "failed", "code": 131049})
    linked.meta.idle()
    assert values(desk)[-1]["statuses"][0]["errors"][0]["code"] == 131049
    linked.control("POST", "status", {"mid": "wamid.none", "status": "read"}, 404)
    linked.control("POST", "status", {"mid": mid, "status": "seen"}, 400)


def test_a_status_can_come_before_the_answer(linked: Cloud, desk: Desk) -> None:
    linked.act()
    linked.meta.idle()
    linked.meta.fault("status", "ahead")
    seen: list[int] = []
    desk.on_post = lambda body: seen.append(len(linked.meta.ledger("call", since=before)))
    before = linked.meta.ledger()[-1]["id"]
    linked.sent()
    linked.meta.idle()
    assert seen == [0, 0]


def test_faults_hit_statuses_alone(linked: Cloud, desk: Desk) -> None:
    linked.meta.fault("status", "reorder", size=2, seconds=5)
    linked.act()
    mid = linked.sent()
    linked.meta.idle()
    assert told(desk) == [("delivered", mid), ("sent", mid)]
    linked.meta.control("DELETE", "faults")
    linked.meta.fault("status", "drop", match={"event": "status sent"})
    linked.meta.fault("webhook", "batch", size=2)
    assert linked.send().status_code == 200
    linked.act()
    linked.meta.idle()
    assert len(desk.bodies()[-1]["entry"][0]["changes"]) == 2


def test_templates_accounts_and_quality(linked: Cloud, desk: Desk) -> None:
    linked.control("PATCH", "templates/new_opening_hours", {"status": "REJECTED", "reason": "PROMOTIONAL"})
    linked.control(
        "POST", "quality", {"event": "FLAGGED", "current_limit": "TIER_250", "quality_rating": "RED"}
    )
    linked.control("POST", "account-update", {"event": "DISABLED_UPDATE"})
    linked.meta.idle()
    template = values(desk, "message_template_status_update")[0]
    assert template == {
        "event": "REJECTED",
        "message_template_id": 590000000000007,
        "message_template_name": "new_opening_hours",
        "message_template_language": "en",
        "message_template_category": "UTILITY",
        "reason": "PROMOTIONAL",
    }
    quality = values(desk, "phone_number_quality_update")[0]
    assert (quality["event"], quality["current_limit"]) == ("FLAGGED", "TIER_250")
    assert quality["display_phone_number"] == BUSINESS
    update = values(desk, "account_update")[0]
    assert update["ban_info"]["waba_ban_state"] == "DISABLE"
    assert linked.get(NUMBER, fields="quality_rating,messaging_limit_tier,health_status") == {
        "quality_rating": "RED",
        "messaging_limit_tier": "TIER_250",
        "health_status": {
            "can_send_message": "BLOCKED",
            "entities": [
                {"entity_type": "PHONE_NUMBER", "id": NUMBER, "can_send_message": "BLOCKED"},
                {"entity_type": "WABA", "id": WABA, "can_send_message": "BLOCKED"},
            ],
        },
        "id": NUMBER,
    }
    assert all("time" in body["entry"][0] for body in desk.bodies())


def test_any_value_can_be_sent(linked: Cloud, desk: Desk) -> None:
    errors = [{"code": 131000, "title": "Something went wrong"}]
    linked.control("POST", "events", {"field": "messages", "value": {"errors": errors}})
    linked.control("POST", "events", {"field": "dance", "value": {}}, 400)
    linked.meta.idle()
    assert values(desk) == [
        {
            "messaging_product": "whatsapp",
            "metadata": {"display_phone_number": BUSINESS, "phone_number_id": NUMBER},
            "errors": errors,
        }
    ]


def test_nobody_is_told_without_a_subscription(cloud: Cloud, desk: Desk) -> None:
    assert cloud.act()["reason"] == "no app is subscribed to the WhatsApp Business Account"
    cloud.call("POST", f"{WABA}/subscribed_apps")
    assert cloud.act()["reason"] == "the app has no callback URL"
    cloud.connect(desk)
    cloud.meta.control("PATCH", f"apps/{seed.APP_ID}", {"fields": ["account_update"]})
    assert cloud.act()["reason"] == "the app did not select the field messages"


def test_another_callback_for_the_account(linked: Cloud, desk: Desk) -> None:
    other = Desk()
    try:
        asked = {"override_callback_uri": other.url, "verify_token": "v"}
        assert linked.call("POST", f"{WABA}/subscribed_apps", json=asked).json() == {"success": True}
        assert linked.get(f"{WABA}/subscribed_apps")["data"][0]["override_callback_uri"] == other.url
        linked.act()
        linked.meta.idle()
        assert (len(desk.posts), len(values(other))) == (0, 1)
        wrong = linked.call("POST", f"{WABA}/subscribed_apps", json={**asked, "verify_token": "w"})
        assert wrong.json()["error"]["code"] == 2200
        hook = {"webhook_configuration": {"override_callback_uri": desk.url, "verify_token": "v"}}
        assert linked.call("POST", NUMBER, json=hook).json() == {"success": True}
        linked.act()
        linked.meta.idle()
        assert (len(values(desk)), len(values(other))) == (1, 1)
    finally:
        other.close()


def test_instagram_is_told_nothing(linked: Cloud, desk: Desk) -> None:
    linked.act()
    linked.meta.dm()
    linked.meta.idle()
    assert [body["object"] for body in desk.bodies()] == ["whatsapp_business_account"]
    state = linked.meta.control("GET", "state")
    assert seed.APP_ID not in [app["id"] for app in state["apps"]]


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        ({"customer": "nobody"}, 404, "no WhatsApp customer nobody"),
        ({"customer": ANA, "kind": "dance"}, 400, "kind must be one of"),
        ({"customer": ANA, "kind": "reply"}, 400, "no message this could be about"),
        ({"customer": ANA, "kind": "reply", "mid": "wamid.none"}, 400, "no message wamid.none"),
        ({"customer": ANA, "kind": "button"}, 400, "no message this could be about"),
        ({"customer": ANA, "kind": "system", "text": GIL}, 400, "somebody's number"),
    ],
)
def test_acts_that_make_no_sense(cloud: Cloud, body: Any, status: int, says: str) -> None:
    assert says in cloud.control("POST", "message", body, status)["error"]


def test_a_template_of_ones_own(cloud: Cloud) -> None:
    body = {"name": "mine", "language": "en", "category": "UTILITY"}
    for wrong in ([{"type": "BODY"}], [{"type": "BUTTONS"}], [{}], [7]):
        cloud.control("POST", "templates", {**body, "components": wrong}, 400)
    cloud.control("POST", "templates", {**body, "components": [{"type": "BODY", "text": "Hello"}]})
    cloud.sent("template", {"name": "mine", "language": {"code": "en"}})
    assert cloud.control("GET", f"messages?customer={ANA}")["messages"][0]["text"] == "Hello"


def test_reset_forgets_everything(cloud: Cloud) -> None:
    cloud.act(customer=ROSA)
    cloud.control("PATCH", "number", {"registered": False})
    cloud.meta.control("POST", "reset")
    state = cloud.meta.control("GET", "whatsapp")
    assert state["number"]["registered"] is True
    assert cloud.control("GET", "messages")["messages"] == []


def test_a_call_that_nobody_takes(linked: Cloud, desk: Desk) -> None:
    linked.act("call")
    linked.meta.idle()
    rings, over = values(desk, "calls")
    assert rings["contacts"][0]["wa_id"] == ANA
    (first,), (last,) = rings["calls"], over["calls"]
    assert (first["event"], last["event"]) == ("connect", "terminate")
    assert first["id"] == last["id"]
    assert first["id"].startswith("wacid.")
    assert first["session"]["sdp_type"] == "offer"
    assert {one["direction"] for one in (first, last)} == {"USER_INITIATED"}
    assert not {"start_time", "end_time", "duration"} & set(last), "only if it was taken"


def test_a_call_that_somebody_takes_told_out_of_order(linked: Cloud, desk: Desk) -> None:
    linked.act("call", taken=120, twice=True, first=True)
    linked.meta.idle()
    told = [value["calls"][0] for value in values(desk, "calls")]
    assert [one["event"] for one in told] == ["terminate", "terminate", "connect"]
    assert told[0] == told[1]
    assert (told[0]["duration"], int(told[0]["end_time"]) - int(told[0]["start_time"])) == (120, 120)


def test_a_caller_may_hide_their_number(linked: Cloud, desk: Desk) -> None:
    linked.control("PATCH", f"customers/{ANA}", {"username": "ana.q", "hides_number": True})
    linked.act("call")
    linked.meta.idle()
    for value in values(desk, "calls"):
        assert "from" not in value["calls"][0]
        assert value["calls"][0]["from_user_id"]
