"""An app's webhook set by program, what a person granted, and the switch that takes a permission away."""

from __future__ import annotations

from sandbox import seed
from tests.sandbox.helpers import Desk, Meta

OWN = f"{seed.APP_ID}|{seed.APP_SECRET}"
PATH = f"{seed.APP_ID}/subscriptions"


def wanted(url: str, token: str = "v", fields: str = "messages,standby") -> dict[str, str]:
    return {"object": "instagram", "callback_url": url, "verify_token": token, "fields": fields}


def test_the_address_is_asked_before_it_is_taken(meta: Meta, desk: Desk) -> None:
    assert meta.graph("GET", PATH, token=OWN).json() == {"data": []}
    refused = meta.graph("POST", PATH, token=OWN, data=wanted(desk.url, "w"))
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, 2200)
    assert meta.graph("GET", PATH, token=OWN).json() == {"data": []}
    assert meta.graph("POST", PATH, token=OWN, data=wanted(desk.url)).json() == {"success": True}
    (held,) = meta.graph("GET", PATH, token=OWN).json()["data"]
    assert held["callback_url"] == desk.url
    assert [one["name"] for one in held["fields"]] == ["messages", "standby"]
    assert meta.graph("DELETE", PATH, token=OWN).json() == {"success": True}
    assert meta.graph("GET", PATH, token=OWN).json() == {"data": []}


def test_only_the_app_itself_may_and_only_with_fields_there_are(meta: Meta, desk: Desk) -> None:
    assert meta.graph("POST", PATH, data=wanted(desk.url)).json()["error"]["code"] == 190
    strange = meta.graph("POST", PATH, token=OWN, data=wanted(desk.url, fields="messages,what"))
    assert "fields[1] must be one of" in strange.json()["error"]["message"]


def test_a_person_sees_and_takes_back_what_was_granted(meta: Meta) -> None:
    def granted() -> set[str]:
        found = meta.graph("GET", "me/permissions").json()["data"]
        return {one["permission"] for one in found if one["status"] == "granted"}

    assert granted() == set(seed.SCOPES_F)
    assert meta.graph("DELETE", "me/permissions/pages_messaging").json() == {"success": True}
    assert granted() == set(seed.SCOPES_F) - {"pages_messaging"}
    assert meta.graph("DELETE", "me/permissions").json() == {"success": True}
    assert granted() == set()


def test_the_switch_takes_pages_messaging_away_and_gives_it_back(meta: Meta) -> None:
    def upload() -> int:
        message = '{"attachment": {"type": "image", "payload": {"url": "http://127.0.0.1:9/x.png"}}}'
        return int(
            meta.graph("POST", "me/message_attachments", data={"message": message}).json()["error"]["code"]
        )

    def missing() -> list[str]:
        found = meta.graph("GET", "me/permissions").json()["data"]
        return [one["permission"] for one in found if one["status"] == "declined"]

    before = upload()
    meta.control("POST", "switches/pages_messaging", {"on": True})
    assert missing() == ["pages_messaging"]
    assert upload() == 200
    meta.control("POST", "switches/pages_messaging", {"on": False})
    assert missing() == []
    assert upload() == before != 200
