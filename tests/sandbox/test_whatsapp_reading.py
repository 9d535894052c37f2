"""WhatsApp: accounts, numbers, templates, subscriptions, tokens and media."""

from __future__ import annotations

import hashlib

import pytest

from sandbox import seed as meta_seed
from sandbox.whatsapp import files, seed
from tests.sandbox.cloud import ANA, NUMBER, WABA, Cloud, problem, values
from tests.sandbox.helpers import LONG, Desk


def test_the_number(cloud: Cloud) -> None:
    assert cloud.get(NUMBER) == {
        "verified_name": "Sample Pottery",
        "code_verification_status": "VERIFIED",
        "display_phone_number": "+1 555-010-0100",
        "quality_rating": "GREEN",
        "platform_type": "CLOUD_API",
        "throughput": {"level": "STANDARD"},
        "webhook_configuration": {"application": None},
        "id": NUMBER,
    }
    wanted = cloud.get(NUMBER, fields="name_status,messaging_limit_tier,account_mode,status")
    assert wanted == {
        "name_status": "APPROVED",
        "messaging_limit_tier": "TIER_1K",
        "account_mode": "LIVE",
        "status": "CONNECTED",
        "id": NUMBER,
    }
    assert problem(cloud.call("GET", NUMBER, params={"fields": "colour"}))[:2] == (400, 100)


def test_the_account_and_its_numbers(cloud: Cloud) -> None:
    account = cloud.get(WABA)
    assert set(account) == {"id", "name", "timezone_id", "message_template_namespace"}
    numbers = cloud.get(f"{WABA}/phone_numbers", fields="id,display_phone_number")
    assert numbers["data"] == [{"id": NUMBER, "display_phone_number": "+1 555-010-0100"}]
    assert set(numbers["paging"]["cursors"]) == {"before", "after"}


def test_subscribing(cloud: Cloud) -> None:
    assert cloud.get(f"{WABA}/subscribed_apps") == {"data": []}
    assert cloud.call("POST", f"{WABA}/subscribed_apps").json() == {"success": True}
    data = cloud.get(f"{WABA}/subscribed_apps")["data"][0]["whatsapp_business_api_data"]
    assert (data["id"], data["name"]) == (seed.APP_ID, "Sample WhatsApp Desk")
    assert cloud.call("DELETE", f"{WABA}/subscribed_apps").json() == {"success": True}
    assert cloud.get(f"{WABA}/subscribed_apps") == {"data": []}


def test_the_apps_own_subscription(cloud: Cloud, desk: Desk) -> None:
    token = f"{seed.APP_ID}|{seed.APP_SECRET}"
    asked = {
        "object": "whatsapp_business_account",
        "callback_url": desk.url,
        "verify_token": "v",
        "fields": "messages",
    }
    assert cloud.call("POST", f"{seed.APP_ID}/subscriptions", token, data=asked).json() == {"success": True}
    shown = cloud.call("GET", f"{seed.APP_ID}/subscriptions", token).json()["data"][0]
    assert (shown["object"], shown["callback_url"]) == ("whatsapp_business_account", desk.url)
    wrong = cloud.call("POST", f"{seed.APP_ID}/subscriptions", token, data={**asked, "object": "instagram"})
    assert wrong.json()["error"]["code"] == 100


def test_the_token(cloud: Cloud) -> None:
    data = cloud.get("debug_token", input_token=seed.TOKEN)["data"]
    assert data["is_valid"] is True
    assert (data["app_id"], data["type"], data["expires_at"]) == (seed.APP_ID, "SYSTEM_USER", 0)
    assert data["granular_scopes"] == [
        {"scope": "whatsapp_business_management", "target_ids": [WABA]},
        {"scope": "whatsapp_business_messaging", "target_ids": [WABA]},
    ]


def test_other_tokens_see_nothing(cloud: Cloud) -> None:
    assert problem(cloud.call("GET", NUMBER, LONG))[:2] == (403, 10)
    assert problem(cloud.call("GET", NUMBER, None))[1] == 104
    missing = cloud.call("GET", "999999999999999")
    assert (missing.status_code, missing.json()["error"]["error_subcode"]) == (400, 33)
    assert problem(cloud.call("GET", f"{NUMBER}/dance"))[1] == 2500
    foreign = cloud.call("GET", "100000000000001").json()["error"]
    assert (foreign["code"], foreign["error_subcode"]) == (100, 33)
    assert meta_seed.APP_ID != seed.APP_ID


def test_templates(cloud: Cloud) -> None:
    found = cloud.get(f"{WABA}/message_templates")["data"]
    assert {each["status"] for each in found} == {"APPROVED", "PENDING", "REJECTED", "PAUSED", "DISABLED"}
    assert {each["category"] for each in found} == {"MARKETING", "UTILITY", "AUTHENTICATION"}
    first = next(each for each in found if each["name"] == "order_update")
    assert set(first) == {"name", "parameter_format", "components", "language", "status", "category", "id"}
    assert first["components"][1]["text"] == "Hello {{1}}, your order {{2}} has been shipped."
    named = cloud.get(f"{WABA}/message_templates", name="delivery_day")["data"][0]
    assert named["parameter_format"] == "NAMED"
    approved = cloud.get(f"{WABA}/message_templates", status="APPROVED", language="de", fields="name")
    assert [each["name"] for each in approved["data"]] == ["order_update"]


def test_a_template_is_read_by_its_id(cloud: Cloud) -> None:
    shown = cloud.get("590000000000008", fields="name,status,rejected_reason")
    assert shown == {
        "name": "too_loud",
        "status": "REJECTED",
        "rejected_reason": "INVALID_FORMAT",
        "id": "590000000000008",
    }
    assert problem(cloud.call("GET", "590000000000008", LONG))[:2] == (403, 10)


def test_templates_come_in_pages(cloud: Cloud) -> None:
    names: list[str] = []
    page = cloud.get(f"{WABA}/message_templates", limit="3", fields="name", category="UTILITY")
    while True:
        names += [each["name"] for each in page["data"]]
        if "next" not in page["paging"]:
            break
        page = cloud.meta.session.get(
            page["paging"]["next"], headers={"Authorization": f"Bearer {seed.TOKEN}"}
        ).json()
    assert names == ["hello_world", "order_update", "order_update", "delivery_day", "new_opening_hours"]


def upload(cloud: Cloud, data: bytes = b"%PDF-1.4 x", mime_type: str = "application/pdf", **form: str) -> str:
    form = {"messaging_product": "whatsapp", "type": mime_type, **form}
    answer = cloud.call("POST", f"{NUMBER}/media", data=form, files={"file": ("a.pdf", data, mime_type)})
    assert answer.status_code == 200, answer.text
    media_id: str = answer.json()["id"]
    return media_id


def test_media_up_and_down(cloud: Cloud) -> None:
    media_id = upload(cloud)
    shown = cloud.get(media_id)
    assert shown == {
        "url": shown["url"],
        "mime_type": "application/pdf",
        "sha256": hashlib.sha256(b"%PDF-1.4 x").hexdigest(),
        "file_size": 10,
        "id": media_id,
        "messaging_product": "whatsapp",
    }
    session, bearer = cloud.meta.session, {"Authorization": f"Bearer {seed.TOKEN}"}
    file = session.get(shown["url"], headers=bearer)
    assert (file.content, file.headers["Content-Type"]) == (b"%PDF-1.4 x", "application/pdf")
    assert session.get(shown["url"]).status_code == 401
    assert session.get(shown["url"], params={"access_token": seed.TOKEN}).status_code == 401
    assert session.get(shown["url"], headers={"Authorization": f"Bearer {LONG}"}).status_code == 401
    assert session.get(shown["url"].replace("hash=", "hash=0"), headers=bearer).status_code == 404
    cloud.meta.control("POST", "clock", {"advance": 301})
    assert session.get(shown["url"], headers=bearer).status_code == 404
    fresh = cloud.get(media_id)["url"]
    assert session.get(fresh, headers=bearer).status_code == 200
    assert cloud.call("DELETE", media_id).json() == {"success": True}
    assert session.get(fresh, headers=bearer).status_code == 404
    assert cloud.call("GET", media_id).json()["error"]["error_subcode"] == 33


def test_ids_of_media_end(cloud: Cloud) -> None:
    media_id = upload(cloud)
    cloud.meta.control("POST", "clock", {"advance": 30 * 86400 + 1})
    assert cloud.call("GET", media_id).json()["error"]["error_subcode"] == 33


def test_what_a_customer_sent_can_be_fetched(linked: Cloud, desk: Desk) -> None:
    linked.act("voice")
    linked.meta.idle()
    audio = values(desk)[0]["messages"][0]["audio"]
    shown = linked.get(audio["id"], phone_number_id=NUMBER)
    assert shown["mime_type"] == "audio/ogg"
    for address in (audio["url"], shown["url"]):
        file = linked.meta.session.get(address, headers={"Authorization": f"Bearer {seed.TOKEN}"})
        assert hashlib.sha256(file.content).hexdigest() == audio["sha256"] == shown["sha256"]
    assert problem(linked.call("GET", audio["id"], params={"phone_number_id": "1"}))[1] == 100
    linked.meta.fault("download", "error", status=500, times=1)
    assert (
        linked.meta.session.get(address, headers={"Authorization": f"Bearer {seed.TOKEN}"}).status_code == 500
    )


@pytest.mark.parametrize(
    ("form", "file", "expected"),
    [
        ({"type": "image/png"}, ("a.png", b"x", "image/png"), (400, 100)),
        ({"messaging_product": "whatsapp"}, None, (400, 100)),
        ({"messaging_product": "whatsapp", "type": "text/html"}, ("a", b"x", "text/html"), (400, 100)),
        (
            {"messaging_product": "whatsapp", "type": "image/webp"},
            ("a", b"x" * (500 * 1024 + 1), "image/webp"),
            (400, 131053),
        ),
    ],
)
def test_uploads_that_are_refused(cloud: Cloud, form: dict, file: tuple | None, expected: tuple) -> None:
    sent = {} if file is None else {"file": file}
    answer = cloud.call("POST", f"{NUMBER}/media", data=form, files=sent)
    assert problem(answer)[:2] == expected


def test_a_voice_message_is_an_ogg_file() -> None:
    data = files.voice()
    assert data[:4] == b"OggS"
    assert data.count(b"OggS") == 3
    at = data.index(b"OggS", 4)
    checked = data[:22] + b"\0\0\0\0" + data[26:at]
    assert int.from_bytes(data[22:26], "little") == files._checksum(checked)


def test_usage_is_told_for_the_account(cloud: Cloud) -> None:
    cloud.act(customer=ANA)
    assert f'"{WABA}":[{{"type":"whatsapp"' in cloud.send().headers["X-Business-Use-Case-Usage"]


def test_a_desk_is_told_where_the_graph_api_answers(cloud: Cloud) -> None:
    address = cloud.meta.control("GET", "desk")["LOBBY_ADDON_WHATSAPP_GRAPH_URL"]
    assert address == f"{cloud.meta.url}/graph.facebook.com"
