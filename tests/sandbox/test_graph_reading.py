"""Tokens, Pages, subscriptions, profiles and conversations."""

from __future__ import annotations

import hashlib
import hmac

import pytest

from sandbox import seed
from tests.sandbox.helpers import ANA, IG_LONG, LONG, Meta, error_of

STUDIO = "EAASANDBOXStudioLong100000000000002"
OWNER = f"EAASANDBOXOwnerLong{'0' * 21}"
IGID = "17841400000000001"
APP_TOKEN = f"{seed.APP_ID}|{seed.APP_SECRET}"


def test_a_token_is_taken_from_header_query_and_form(meta: Meta) -> None:
    assert meta.get("me")["id"] == "100000000000001"
    assert meta.get("me", None, access_token=LONG)["id"] == "100000000000001"
    answer = meta.graph("POST", "me/messages", None, data={"access_token": LONG, "message": "{}"})
    assert error_of(answer)[1] == 100


def test_the_version_may_be_left_out(meta: Meta) -> None:
    url = f"{meta.url}/graph.facebook.com/me"
    assert meta.session.get(url, params={"access_token": LONG}).json()["name"] == "Sample Pottery"


def test_no_token_and_a_made_up_token_are_refused(meta: Meta) -> None:
    assert error_of(meta.graph("GET", "100000000000001", None)) == (400, 104, None)
    assert error_of(meta.graph("GET", "me", None)) == (400, 2500, None)
    assert error_of(meta.graph("GET", "me", "EAAnonsense")) == (400, 190, None)
    assert error_of(meta.graph("GET", "me", IG_LONG)) == (400, 190, None)
    assert error_of(meta.graph("GET", "me", LONG, "I")) == (400, 190, None)


@pytest.mark.parametrize("flavour", ["F", "I"])
@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("me", 2500),
        ("me/conversations", 2500),
        ("100000000000001", 104),
        ("debug_token", 104),
        (f"{seed.APP_ID}/subscriptions", 104),
        ("access_token", 104),
        ("refresh_access_token", 104),
    ],
)
def test_without_a_token_every_call_says_so(meta: Meta, path: str, code: int, flavour: str) -> None:
    answer = meta.graph("GET", path, None, flavour)
    assert error_of(answer) == (400, code, None)
    assert answer.json()["error"]["type"] == "OAuthException"


def test_an_error_says_in_a_header_whether_it_is_the_token(meta: Meta) -> None:
    challenge = meta.graph("GET", "me", "EAAnonsense").headers["WWW-Authenticate"]
    wording = "Invalid OAuth access token - Cannot parse access token"
    assert challenge == f'OAuth "Facebook Platform" "invalid_token" "{wording}"'
    challenge = meta.graph("GET", "me", params={"fields": "id,shoe_size"}).headers["WWW-Authenticate"]
    assert challenge.startswith('OAuth "Facebook Platform" "invalid_request" "(#100) ')
    assert "WWW-Authenticate" not in meta.graph("GET", "me").headers


def test_nested_fields_lead_to_the_linked_account(meta: Meta) -> None:
    page = meta.get("100000000000001", fields="id,name,instagram_business_account{id,username}")
    assert page == {
        "id": "100000000000001",
        "name": "Sample Pottery",
        "instagram_business_account": {"id": IGID, "username": "sample.pottery"},
    }
    unlinked = "EAASANDBOXUnlinkedLong100000000000004"
    assert "instagram_business_account" not in meta.get("me", unlinked, fields="instagram_business_account")


def test_unknown_fields_and_bad_syntax_are_errors(meta: Meta) -> None:
    unknown = meta.graph("GET", "me", params={"fields": "id,shoe_size"})
    assert error_of(unknown) == (400, 100, None)
    assert "nonexisting field (shoe_size)" in unknown.json()["error"]["message"]
    assert error_of(meta.graph("GET", "me", params={"fields": "id{name"})) == (400, 2500, None)


def test_another_pages_objects_stay_hidden(meta: Meta) -> None:
    answer = meta.graph("GET", "100000000000002")
    assert error_of(answer) == (400, 100, 33)
    assert answer.json()["error"]["type"] == "GraphMethodException"
    assert error_of(meta.graph("POST", "100000000000002/messages", json={})) == (400, 100, 33)


def test_the_owner_sees_the_pages_of_the_app(meta: Meta) -> None:
    pages = meta.get("me/accounts", OWNER, fields="name,access_token,instagram_business_account{id}")
    assert [page["name"] for page in pages["data"]] == ["Sample Pottery", "Sample Studio", "Sample Unlinked"]
    assert pages["data"][0]["access_token"] == LONG
    assert pages["data"][0]["instagram_business_account"] == {"id": IGID}
    assert error_of(meta.graph("POST", "100000000000001/messages", OWNER, json={})) == (400, 210, None)


def test_an_instagram_token_has_two_ids(meta: Meta) -> None:
    me = meta.graph("GET", "me", IG_LONG, "I", params={"fields": "id,user_id,username,account_type"}).json()
    assert me["user_id"] == IGID
    assert me["id"] != IGID
    assert (me["username"], me["account_type"]) == ("sample.pottery", "BUSINESS")


@pytest.mark.parametrize("subcode", [458, 459, 460, 463, 464, 467, 492])
def test_a_token_switched_off_says_why(meta: Meta, subcode: int) -> None:
    meta.control("PATCH", "tokens/pottery-long", {"valid": False, "subcode": subcode})
    answer = meta.send()
    assert error_of(answer) == (400, 190, subcode)
    assert answer.json()["error"]["message"].startswith("Error validating access token")


def test_tokens_expire_by_the_clock(meta: Meta) -> None:
    short, expired = "EAASANDBOXPotteryShort100000000000001", "EAASANDBOXPotteryExpired100000000000001"
    assert error_of(meta.graph("GET", "me", expired)) == (400, 190, 463)
    assert meta.get("me", short)["name"] == "Sample Pottery"
    meta.control("POST", "clock", {"advance": 3601})
    assert error_of(meta.graph("GET", "me", short)) == (400, 190, 463)
    assert meta.get("me", LONG)["name"] == "Sample Pottery"


def test_a_missing_scope_is_a_permission_error(meta: Meta) -> None:
    meta.control("PATCH", "tokens/pottery-long", {"scopes": ["pages_show_list"]})
    assert error_of(meta.graph("GET", "me/subscribed_apps")) == (400, 200, None)
    assert error_of(meta.send())[1] == 200


def test_no_token_or_secret_reaches_the_ledger(meta: Meta) -> None:
    meta.get("me/accounts", OWNER, fields="access_token")
    meta.graph("POST", "me/messages", None, data={"access_token": LONG, "message": "{}"})
    secret = seed.APP_SECRET
    form = {"grant_type": "client_credentials", "client_id": seed.APP_ID, "client_secret": secret}
    assert secret in meta.get("oauth/access_token", None, **form)["access_token"]
    meta.get("debug_token", None, input_token=LONG, access_token=APP_TOKEN)
    written = str(meta.ledger(bodies="1"))
    assert "'call'" in written
    assert "***" in written
    assert not [value for value in (LONG, OWNER, secret) if value in written]


def test_the_proof_is_checked_when_given_and_when_required(meta: Meta) -> None:
    proof = hmac.new(seed.APP_SECRET.encode(), LONG.encode(), hashlib.sha256).hexdigest()
    wrong = meta.get("me", appsecret_proof="0" * 64)["error"]
    assert (wrong["code"], wrong["message"]) == (100, "Invalid appsecret_proof provided in the API argument")
    meta.control("PATCH", f"apps/{seed.APP_ID}", {"require_proof": True})
    assert "require an appsecret_proof" in meta.get("me")["error"]["message"]
    assert meta.get("me", appsecret_proof=proof)["name"] == "Sample Pottery"
    in_body = meta.graph("POST", "me/messages", json={"appsecret_proof": proof})
    assert "require an appsecret_proof" in in_body.json()["error"]["message"]


def test_a_page_is_subscribed_listed_and_unsubscribed(meta: Meta) -> None:
    edge = "100000000000001/subscribed_apps"
    assert meta.get(edge) == {"data": []}
    fields = {"subscribed_fields": "messages,messaging_postbacks"}
    assert meta.graph("POST", edge, params=fields).json() == {"success": True}
    listed = meta.get(edge)["data"]
    assert [app["id"] for app in listed] == [seed.APP_ID]
    assert listed[0]["subscribed_fields"] == ["messages", "messaging_postbacks"]
    assert meta.graph("DELETE", edge).json() == {"success": True}
    assert meta.get(edge) == {"data": []}


def test_a_page_refuses_instagram_only_field_names(meta: Meta) -> None:
    fields = {"subscribed_fields": "messages,feed,messaging_seen"}
    answer = meta.graph("POST", "me/subscribed_apps", params=fields)
    assert error_of(answer) == (400, 100, None)
    message = answer.json()["error"]["message"]
    assert message.startswith("(#100) Param subscribed_fields[2] must be one of {feed, mention, ")
    taken = meta.graph("POST", f"{IGID}/subscribed_apps", IG_LONG, "I", json=["messages", "messaging_seen"])
    assert taken.json() == {"success": True}


def test_debug_token_by_the_app_and_by_itself(meta: Meta) -> None:
    by_app = meta.get("debug_token", None, input_token=LONG, access_token=APP_TOKEN)["data"]
    assert by_app == meta.get("debug_token", None, input_token=LONG, access_token=LONG)["data"]
    assert (by_app["app_id"], by_app["type"], by_app["is_valid"]) == (seed.APP_ID, "PAGE", True)
    assert (by_app["profile_id"], by_app["expires_at"]) == ("100000000000001", 0)
    assert "instagram_manage_messages" in by_app["scopes"]


def test_debug_token_of_a_bad_token(meta: Meta) -> None:
    expired = "EAASANDBOXPotteryExpired100000000000001"
    seen = meta.get("debug_token", None, input_token=expired, access_token=APP_TOKEN)["data"]
    assert (seen["is_valid"], seen["error"]["code"], seen["error"]["subcode"]) == (False, 190, 463)
    unknown = meta.get("debug_token", None, input_token="EAAx", access_token=APP_TOKEN)["data"]
    assert (unknown["is_valid"], unknown["error"]["code"]) == (False, 190)
    other = f"{seed.SECOND_APP_ID}|{seed.SECOND_APP_SECRET}"
    refused = meta.get("debug_token", None, input_token=LONG, access_token=other)
    assert "did not match the Viewing App" in refused["error"]["message"]
    wrong = meta.get("debug_token", None, input_token=LONG, access_token=f"{seed.APP_ID}|no")
    assert wrong["error"]["code"] == 190


def test_a_profile_needs_consent(meta: Meta) -> None:
    assert error_of(meta.graph("GET", ANA)) == (400, 230, None)
    meta.dm()
    wanted = "name,username,profile_pic,follower_count,is_user_follow_business,is_verified_user"
    profile = meta.get(ANA, fields=wanted)
    assert (profile["id"], profile["username"], profile["follower_count"]) == (ANA, "ana.sample", 1234)
    picture = meta.session.get(profile["profile_pic"])
    assert picture.headers["Content-Type"] == "image/png"
    assert picture.content.startswith(b"\x89PNG")
    meta.control("PATCH", f"customers/{ANA}", {"consent": "denied"})
    assert error_of(meta.graph("GET", ANA)) == (400, 230, None)


def test_a_profile_of_a_stranger_and_of_another_shops_customer(meta: Meta) -> None:
    assert error_of(meta.graph("GET", "1026999999999999")) == (400, 9010, None)
    assert error_of(meta.graph("GET", "1026000000000011")) == (400, 9010, None)
    assert error_of(meta.graph("GET", ANA, params={"fields": "shoe_size"}))[1] == 230


def test_conversations_list_newest_first_with_details_for_twenty(meta: Meta) -> None:
    mids = [meta.dm(f"message {number}")["mid"] for number in range(25)]
    threads = meta.get("me/conversations", platform="instagram", fields="participants,updated_time")["data"]
    assert len(threads) == 1
    assert {person["id"] for person in threads[0]["participants"]["data"]} == {IGID, ANA}
    assert threads[0]["updated_time"].endswith("+0000")
    read = meta.get(threads[0]["id"], fields="messages{id,created_time,from,message}")
    shown = read["messages"]["data"]
    assert [message["id"] for message in shown] == mids[::-1]
    assert shown[0]["message"] == "message 24"
    assert shown[0]["from"] == {"username": "ana.sample", "id": ANA}
    assert "message" not in shown[20]
    assert error_of(meta.graph("GET", mids[0])) == (400, 9000001, None)
    newest = meta.get(mids[-1], fields="id,created_time,from,to,message")
    assert newest["to"] == {"data": [{"username": "sample.pottery", "id": IGID}]}


def test_the_messages_of_a_thread_are_listed_by_themselves(meta: Meta) -> None:
    for number in range(22):
        meta.dm(f"message {number}")
    (thread,) = meta.get("me/conversations", platform="instagram")["data"]
    first = meta.get(f"{thread['id']}/messages", fields="id,message,from", limit="21")
    assert [one.get("message") for one in first["data"]] == [
        *(f"message {number}" for number in range(21, 1, -1)),
        None,
    ], "of the older ones there is the id alone"
    rest = meta.get(f"{thread['id']}/messages", after=first["paging"]["cursors"]["after"])
    assert [set(one) for one in rest["data"]] == [{"id", "created_time"}]
    assert "paging" not in rest or "next" not in rest["paging"]
    assert error_of(meta.graph("GET", "aWdNoThread/messages")) == (400, 100, 33)
    assert error_of(meta.graph("GET", f"{thread['id']}/messages", STUDIO)) == (400, 100, 33)


def test_conversations_of_one_customer_page_by_page(meta: Meta) -> None:
    meta.dm("one")
    meta.dm("two", customer="kit.makes.sample")
    found = meta.get("me/conversations", platform="instagram", user_id=ANA, fields="messages{message}")
    assert [m["message"] for m in found["data"][0]["messages"]["data"]] == ["one"]
    first = meta.get("me/conversations", platform="instagram", limit="1")
    second = meta.get(
        "me/conversations", platform="instagram", limit="1", after=first["paging"]["cursors"]["after"]
    )
    assert first["data"][0]["id"] != second["data"][0]["id"]
    assert "next" in first["paging"]
    assert "next" not in second["paging"]
    assert LONG not in first["paging"]["next"]


def test_usage_headers_are_percentages(meta: Meta) -> None:
    meta.control("PATCH", "settings", {"usage_limit": 10})
    for _ in range(3):
        answer = meta.graph("GET", "me")
    assert '"call_count":30' in answer.headers["X-App-Usage"]
    assert f'"{IGID}":[' in answer.headers["X-Business-Use-Case-Usage"]


def test_tokens_are_exchanged_and_refreshed(meta: Meta) -> None:
    answer = meta.get(
        "oauth/access_token",
        None,
        grant_type="fb_exchange_token",
        client_id=seed.APP_ID,
        client_secret=seed.APP_SECRET,
        fb_exchange_token=OWNER,
    )
    assert answer["access_token"].startswith("EAA")
    assert meta.get("me", answer["access_token"])["name"] == "Sample Owner"
    refreshed = meta.graph(
        "GET",
        "refresh_access_token",
        None,
        "I",
        params={"grant_type": "ig_refresh_token", "access_token": IG_LONG},
    )
    assert refreshed.json()["expires_in"] == 60 * 86400
    again = meta.graph(
        "GET",
        "refresh_access_token",
        None,
        "I",
        params={"grant_type": "ig_refresh_token", "access_token": IG_LONG},
    )
    assert error_of(again)[1] == 100


def test_ice_breakers_are_kept_and_limited(meta: Meta) -> None:
    ask = [{"question": "Where are you?", "payload": "WHERE"}]
    body = {"platform": "instagram", "ice_breakers": [{"locale": "default", "call_to_actions": ask}]}
    assert meta.graph("POST", "me/messenger_profile", json=body).json() == {"result": "success"}
    shown = meta.get("me/messenger_profile", platform="instagram", fields="ice_breakers")
    assert shown["data"][0]["call_to_actions"] == ask
    body["ice_breakers"] = [{"locale": "default", "call_to_actions": ask * 5}]
    assert error_of(meta.graph("POST", "me/messenger_profile", json=body))[1] == 100
