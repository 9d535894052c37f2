"""Calls beside the everyday ones: batches, several objects at once, versions, threads of several apps."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sandbox import seed
from tests.sandbox.helpers import ANA, IG_LONG, LONG, Meta, error_of

POTTERY = "17841400000000001"
PAGE = "100000000000001"
PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 40


@pytest.fixture
def spoken(meta: Meta) -> Meta:
    meta.control("PATCH", "settings", {"fetch_media": False})
    meta.dm("hello")
    return meta


def batch(meta: Meta, *calls: dict[str, Any]) -> list[Any]:
    answer = meta.graph("POST", "", data={"batch": json.dumps(calls)})
    assert answer.status_code == 200, answer.text
    return list(answer.json())


def test_a_batch_answers_each_call_by_itself(spoken: Meta) -> None:
    form = f'recipient={{"id":"{ANA}"}}&message={{"text":"from a batch"}}'
    found = batch(
        spoken,
        {"method": "GET", "relative_url": "me?fields=id"},
        {"method": "POST", "relative_url": "v24.0/me/messages", "body": form},
        {"method": "GET", "relative_url": "999"},
    )
    assert [one["code"] for one in found] == [200, 200, 400]
    assert json.loads(found[0]["body"]) == {"id": PAGE}
    assert json.loads(found[1]["body"])["recipient_id"] == ANA
    assert {"name": "facebook-api-version", "value": "v24.0"} in found[1]["headers"]
    assert json.loads(found[2]["body"])["error"]["code"] == 100
    assert [entry["text"] for entry in spoken.ledger("send")] == ["from a batch"]
    paths = [entry["path"] for entry in spoken.ledger("call")][-4:]
    assert paths == ["/me", "/me/messages", "/999", "/"]


@pytest.mark.parametrize("wanted", ["[]", "{}", "7", json.dumps([{"relative_url": "me"}] * 51)])
def test_what_is_no_batch_is_refused(spoken: Meta, wanted: str) -> None:
    assert error_of(spoken.graph("POST", "", data={"batch": wanted})) == (400, 100, None)


def test_several_objects_are_read_at_once(spoken: Meta) -> None:
    answer = spoken.graph("GET", "", params={"ids": f"{PAGE},{ANA}", "fields": "id,name"})
    assert answer.json() == {
        PAGE: {"id": PAGE, "name": "Sample Pottery"},
        ANA: {"id": ANA, "name": "Ana Q."},
    }
    assert error_of(spoken.graph("GET", "", params={"ids": f"{PAGE},12"})) == (400, 100, 33)


@pytest.mark.parametrize(
    ("asked", "answered"),
    [("v26.0", "v26.0"), ("v21.0", "v21.0"), ("v3.2", "v21.0"), ("v2.12", "v21.0"), (None, "v21.0")],
)
def test_the_answer_names_its_version_and_one_that_ended_is_answered_by_the_oldest(
    meta: Meta, asked: str | None, answered: str
) -> None:
    address = f"{meta.url}/graph.facebook.com/{f'{asked}/' if asked else ''}me"
    answer = meta.session.get(address, headers={"Authorization": f"Bearer {LONG}"})
    assert answer.json()["id"] == PAGE
    assert answer.headers["facebook-api-version"] == answered


@pytest.mark.parametrize("never", ["v27.0", "v99.0", "v25.1", "v0.1", "v3.4"])
def test_a_version_that_never_was_is_no_version(meta: Meta, never: str) -> None:
    answer = meta.session.get(
        f"{meta.url}/graph.facebook.com/{never}/me", headers={"Authorization": f"Bearer {LONG}"}
    )
    assert error_of(answer) == (400, 2500, None)
    assert "Unknown path components: /me" in answer.json()["error"]["message"]


def test_another_app_has_a_thread_until_it_is_taken(connected: Meta) -> None:
    spoken = connected
    spoken.dm("hello")
    assert spoken.graph("GET", "me/thread_owner", params={"recipient": ANA}).json() == {"data": []}
    spoken.dm("Anybody?", kind="standby")
    owner = spoken.graph("GET", "me/thread_owner", params={"recipient": ANA}).json()
    assert owner == {"data": [{"thread_owner": {"app_id": seed.OTHER_APP_ID}}]}
    assert error_of(spoken.send()) == (400, 100, 2534037)
    recipient = {"recipient": {"id": ANA}}
    refused = spoken.graph("POST", "me/pass_thread_control", json={**recipient, "target_app_id": "7"})
    assert error_of(refused) == (400, 100, 2534037)
    taken = spoken.graph("POST", "me/take_thread_control", json={**recipient, "metadata": "a person"})
    assert taken.json() == {"success": True}
    assert spoken.send().status_code == 200
    passed = {**recipient, "target_app_id": seed.OTHER_APP_ID}
    assert spoken.graph("POST", "me/pass_thread_control", json=passed).json() == {"success": True}
    assert error_of(spoken.send()) == (400, 100, 2534037)
    spoken.idle()
    told = [entry["event"] for entry in spoken.ledger("webhook") if "control" in entry["event"]]
    assert told == ["take thread control", "pass thread control"]
    spoken.dm("hello again")
    assert spoken.send().status_code == 200, "what the customer writes to us gives the thread back"


def test_the_other_apps_of_an_account_are_listed(meta: Meta) -> None:
    token = "EAASANDBOXPotteryLong100000000000001"
    meta.graph("POST", "me/subscribed_apps", token, params={"subscribed_fields": "messages"})
    assert meta.graph("GET", "me/secondary_receivers").json() == {"data": []}


def test_a_comment_is_answered_in_public(meta: Meta) -> None:
    comment = meta.dm("How much?", kind="comment")["mid"]
    answer = meta.graph("POST", f"{comment}/replies", json={"message": "18 €"})
    reply = answer.json()["id"]
    (listed,) = meta.graph("GET", f"{comment}/replies").json()["data"]
    assert (listed["id"], listed["text"]) == (reply, "18 €")
    assert error_of(meta.graph("POST", f"{comment}/replies", json={"message": " "})) == (400, 100, None)
    assert error_of(meta.graph("POST", "17900000000000009/replies", json={"message": "x"})) == (400, 100, 33)


def test_posts_have_captions(meta: Meta) -> None:
    answer = meta.graph("GET", f"{POTTERY}/media", params={"fields": "id,caption,permalink", "limit": "12"})
    posts = answer.json()["data"]
    assert posts[1]["caption"] == "Post 129 of @sample.pottery #pottery"
    assert "caption" not in posts[0], "some have none"
    one = meta.graph("GET", posts[1]["id"], params={"fields": "caption,media_type"}).json()
    assert one == {"id": posts[1]["id"], "caption": posts[1]["caption"], "media_type": "IMAGE"}


def test_a_file_comes_along_with_its_message(spoken: Meta) -> None:
    form = {
        "recipient": json.dumps({"id": ANA}),
        "message": json.dumps({"attachment": {"type": "image", "payload": {}}}),
    }
    answer = spoken.graph("POST", "me/messages", data=form, files={"filedata": ("a.png", PNG, "image/png")})
    assert answer.status_code == 200, answer.text
    assert spoken.ledger("send")[-1]["what"] == "image"
    wrong = spoken.graph(
        "POST", "me/messages", data=form, files={"filedata": ("a.pdf", b"%PDF", "application/pdf")}
    )
    assert error_of(wrong) == (400, 100, 2018047)
    assert error_of(spoken.graph("POST", "me/messages", data=form)) == (400, 100, 2018008)


def test_a_personal_account_is_none_of_this_api(spoken: Meta) -> None:
    spoken.control("PATCH", f"accounts/{POTTERY}", {"account_type": "PERSONAL"})
    page = spoken.graph("GET", "me", params={"fields": "id,instagram_business_account{id}"}).json()
    assert page == {"id": PAGE}
    assert error_of(spoken.send()) == (400, 100, 2534013)
    assert error_of(spoken.send(token=IG_LONG, flavour="I")) == (403, 10, None)
    me = spoken.graph("GET", "me", IG_LONG, "I", params={"fields": "account_type"}).json()
    assert me["account_type"] == "PERSONAL"


def test_a_switch_refuses_uploads(spoken: Meta) -> None:
    spoken.control("POST", "switches/uploads", {"on": True})
    form = {"platform": "instagram", "message": json.dumps({"attachment": {"type": "image"}})}

    def upload() -> Any:
        return spoken.graph(
            "POST", "me/message_attachments", data=form, files={"filedata": ("a.png", PNG, "image/png")}
        )

    assert error_of(upload()) == (400, 200, None)
    spoken.control("POST", "switches/uploads", {"on": False})
    assert upload().json()["attachment_id"]


@pytest.mark.parametrize(
    ("more", "left"), [([], []), ([{"content_type": "text", "title": "No", "payload": "NO"}], ["No"])]
)
def test_a_quick_reply_that_asks_is_accepted_and_missing(
    spoken: Meta, more: list[dict[str, str]], left: list[str]
) -> None:
    offered = [{"content_type": "user_phone_number"}, {"content_type": "user_email"}, *more]
    answer = spoken.graph(
        "POST",
        "me/messages",
        json={"recipient": {"id": ANA}, "message": {"text": "Call you?", "quick_replies": offered}},
    )
    assert answer.status_code == 200, answer.text
    shown = spoken.session.get(f"{spoken.url}/phone/view", params={"customer": ANA})
    titles = [one["title"] for one in shown.json()["messages"][-1]["quick_replies"]]
    assert titles == left
