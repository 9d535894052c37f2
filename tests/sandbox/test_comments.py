"""Comments and mentions as Meta tells, takes and refuses them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.helpers import ANA, IG_LONG, Desk, Meta, error_of, poll

IGID = "17841400000000001"
KIT = "1026000000000002"
LOGIN_FIELDS = "messages,comments,live_comments"


def changes(desk: Desk, count: int) -> list[dict[str, Any]]:
    """Return what was told, once it is *count*, as it came: two deliveries may overtake each other."""

    def found() -> list[dict[str, Any]]:
        return [one for body in desk.bodies() for entry in body["entry"] for one in entry.get("changes", [])]

    return poll(lambda: found() if len(found()) >= count else [])


def private(meta: Meta, comment: str, text: str = "In private") -> Any:
    return meta.send(text, recipient={"comment_id": comment})


def test_a_comment_names_its_post_and_what_it_answers(connected: Meta, desk: Desk) -> None:
    first = connected.dm("price?", kind="comment")
    answer = connected.dm("me too", kind="comment_reply", customer=KIT)
    deeper = connected.dm("and me", kind="comment", customer=KIT, mid=answer["mid"])
    told = {one["value"]["comment_id"]: one["value"] for one in changes(desk, 3)}
    assert told[first["mid"]]["media"] == {"id": "17895000000100130", "media_product_type": "FEED"}
    below = {mid: one.get("parent_id") for mid, one in told.items()}
    top = first["mid"]
    assert below == {top: None, answer["mid"]: top, deeper["mid"]: top}, (
        "an answer to an answer goes to the top"
    )
    assert connected.get(f"{first['mid']}/replies")["data"][1]["id"] == deeper["mid"]
    fields = "id,text,from,username,parent_id,media{id,caption},hidden"
    read = connected.get(answer["mid"], fields=fields)
    assert read["from"] == {"id": KIT, "username": "kit.makes.sample"}
    assert (read["parent_id"], read["hidden"]) == (first["mid"], False)
    assert read["media"] == {"id": "17895000000100130"}, "every tenth has no words"


def test_instagram_login_names_a_comment_otherwise_and_is_subscribed_by_account(
    meta: Meta, desk: Desk
) -> None:
    meta.control("POST", "webhook", {"callback_url": desk.url, "verify_token": "v"})
    meta.graph("POST", "me/subscribed_apps", IG_LONG, "I", params={"subscribed_fields": "messages"})
    unheard = meta.dm("price?", kind="comment")
    assert unheard["reason"] == "the account is not subscribed to the field comments"
    meta.graph("POST", "me/subscribed_apps", IG_LONG, "I", params={"subscribed_fields": LOGIN_FIELDS})
    made = meta.dm("price?", kind="comment")
    (told,) = changes(desk, 1)
    assert (told["field"], told["value"]["id"]) == ("comments", made["mid"])
    mentioned = meta.dm(kind="mention", text="@sample.pottery look")
    assert changes(desk, 2)[1]["value"]["id"] == mentioned["mid"], "a mention comes as a comment there"
    assert meta.dm(kind="caption_mention", text="tea")["webhooks"] == 0


def test_a_boosted_post_tells_each_comment_twice_and_an_ad_once(connected: Meta, desk: Desk) -> None:
    made = connected.dm("Price?", kind="comment", post="boosted")
    ad, plain = sorted(
        (one["value"] for one in changes(desk, 2)), key=lambda one: len(one["media"]), reverse=True
    )
    assert ad["comment_id"] == plain["comment_id"] == made["mid"]
    assert ad["media"]["original_media_id"] == plain["media"]["id"] == "17895000000100130"
    assert {"ad_id", "ad_title"} <= set(ad["media"])
    assert "ad_id" not in plain["media"]
    connected.dm("Price?", kind="comment", post="ad")
    (dark,) = [one["value"]["media"] for one in changes(desk, 3)[2:]]
    assert (dark["media_product_type"], "original_media_id" in dark) == ("AD", False)
    connected.idle()
    assert len(changes(desk, 3)) == 3


def test_our_own_comments_are_told_and_marked(connected: Meta, desk: Desk) -> None:
    above = connected.dm("price?", kind="comment")["mid"]
    sent = connected.graph("POST", f"{above}/replies", json={"message": "18"}).json()["id"]
    own = connected.dm(kind="own_comment", text="and postage")["mid"]
    told = {one["value"]["comment_id"]: one["value"] for one in changes(desk, 3)}
    for name in (sent, own):
        assert told[name]["from"]["self_ig_scoped_id"] == "27000000000000001"
        assert (told[name]["from"]["id"], told[name]["parent_id"]) == (IGID, above)
    (entry,) = connected.ledger("public_reply")
    assert (entry["mid"], entry["comment"], entry["answered"]) == (sent, above, True)


def test_a_comment_is_hidden_shown_and_taken_away(connected: Meta, desk: Desk) -> None:
    comment = connected.dm("Rubbish", kind="comment")["mid"]
    assert connected.graph("POST", comment, params={"hide": "true"}).json() == {"success": True}
    assert connected.get(comment, fields="hidden")["hidden"] is True
    assert error_of(connected.graph("POST", f"{comment}/replies", json={"message": "x"})) == (400, 100, None)
    assert connected.graph("POST", comment, json={"hide": False}).json() == {"success": True}
    assert error_of(connected.graph("POST", comment, json={"hide": "perhaps"})) == (400, 100, None)
    answer = connected.graph("POST", f"{comment}/replies", json={"message": "x"}).json()["id"]
    assert connected.graph("POST", answer, params={"hide": "true"}).json() == {"success": True}
    assert connected.get(answer, fields="hidden")["hidden"] is False, "the account's own stays seen"
    assert connected.graph("DELETE", comment).json() == {"success": True}
    for gone in (comment, answer):
        assert error_of(connected.graph("GET", gone)) == (400, 100, 33)
    assert error_of(connected.graph("DELETE", comment)) == (400, 100, 33)
    connected.idle()
    assert len(changes(desk, 2)) == 2, "nobody is told of what is gone"


def test_an_author_changes_and_takes_back(connected: Meta, desk: Desk) -> None:
    made = connected.dm("prise?", kind="comment")["mid"]
    connected.dm("price?", kind="comment_edit")
    connected.control("PATCH", f"comments/{made}", {"text": "prices?"})
    assert sorted(one["value"]["text"] for one in changes(desk, 3)) == ["price?", "prices?", "prise?"]
    assert {one["value"]["comment_id"] for one in changes(desk, 3)} == {made}
    connected.control("DELETE", f"comments/{made}")
    assert connected.control("GET", "comments")["comments"] == []
    connected.control("DELETE", f"comments/{made}", expect=404)


def test_comments_are_listed_page_by_page_newest_first(connected: Meta) -> None:
    post = connected.control("POST", "posts", {"kind": "REELS", "caption": "Throwing"})["id"]
    made = [connected.dm(f"{number}", kind="comment", post=post)["mid"] for number in range(5)]
    connected.graph("POST", f"{made[0]}/replies", json={"message": "first!"})
    fields = "id,text,replies{id,text}"
    first = connected.get(f"{post}/comments", fields=fields, limit="3")
    assert [one["id"] for one in first["data"]] == made[:1:-1]
    assert f"/{post}/comments" in first["paging"]["next"]
    after = first["paging"]["cursors"]["after"]
    rest = connected.get(f"{post}/comments", fields=fields, limit="3", after=after)
    assert [one["text"] for one in rest["data"]] == ["1", "0"]
    assert rest["data"][1]["replies"]["data"][0]["text"] == "first!"
    assert "next" not in rest["paging"]
    assert connected.get(f"{IGID}/media", fields="id,media_type", limit="1")["data"] == [
        {"id": post, "media_type": "VIDEO"}
    ]
    assert error_of(connected.graph("GET", f"{post}/comments", params={"limit": "51"})) == (400, 100, None)
    assert error_of(connected.graph("GET", f"{post}/comments", token=IG_LONG, flavour="F")) == (
        400,
        190,
        None,
    )


def test_a_broadcast_ends_and_its_comments_with_it(connected: Meta, desk: Desk) -> None:
    comment = connected.dm("Which clay?", kind="comment", post="live")["mid"]
    (told,) = changes(desk, 1)
    assert (told["field"], told["value"]["media"]["media_product_type"]) == ("live_comments", "LIVE")
    live = told["value"]["media"]["id"]
    listed = connected.get(f"{IGID}/live_media", fields="id,media_type,media_product_type")["data"]
    assert listed == [{"id": live, "media_type": "BROADCAST", "media_product_type": "LIVE"}]
    assert error_of(connected.graph("POST", f"{comment}/replies", json={"message": "x"})) == (400, 100, None)
    late = connected.dm("And the glaze?", kind="comment", post=live)["mid"]
    assert private(connected, comment).status_code == 200
    connected.control("DELETE", f"posts/{live}")
    assert error_of(private(connected, late)) == (400, 100, 2534025)
    assert connected.get(f"{IGID}/live_media")["data"] == []
    for gone in (live, f"{live}/comments", late):
        assert connected.graph("GET", gone).status_code == 400
    refused = connected.control(
        "POST", "dm", {"customer": ANA, "kind": "comment", "text": "x", "post": live}, 400
    )
    assert refused["error"] == "the broadcast has ended"


def test_mentions_are_ids_until_they_are_looked_up(connected: Meta, desk: Desk) -> None:
    comment = connected.dm("@sample.pottery made this", kind="mention")["mid"]
    caption = connected.dm("Tea by", kind="caption_mention")["mid"]
    # Each is told by itself: which comes first is not said.
    first, second = sorted((one["value"] for one in changes(desk, 2)), key=len, reverse=True)
    assert set(first) == {"comment_id", "media_id"}
    assert second == {"media_id": caption}
    fields = f"mentioned_comment.comment_id({comment}){{id,text,username,media{{id,permalink}}}}"
    found = connected.get(IGID, fields=fields)["mentioned_comment"]
    assert (found["text"], found["username"]) == ("@sample.pottery made this", "ana.sample")
    assert found["media"]["id"] == first["media_id"]
    unnamed = f"mentioned_comment.comment_id({comment}){{from}}"
    assert connected.get(IGID, fields=unnamed)["error"]["code"] == 100, "who it was is told by name alone"
    fields = f"mentioned_media.media_id({caption}){{caption,username}}"
    assert connected.get(IGID, fields=fields)["mentioned_media"]["caption"] == "Tea by @sample.pottery"
    asked = {"media_id": first["media_id"], "comment_id": comment, "message": "Thank you!"}
    assert connected.graph("POST", f"{IGID}/mentions", json=asked).json()["id"]
    assert connected.graph("POST", f"{IGID}/mentions", json={**asked, "comment_id": "1"}).status_code == 400
    assert error_of(private(connected, comment)) == (400, 100, 2534025)
    assert error_of(connected.graph("GET", first["media_id"])) == (400, 100, 33), "it is somebody else's"


@pytest.mark.parametrize(("follows", "requested"), [(True, False), (False, True)])
def test_a_private_reply_opens_where_it_is_seen(connected: Meta, follows: bool, requested: bool) -> None:
    comment = connected.dm("price?", kind="comment")["mid"]
    with_following = connected.control("GET", "state")["customers"][0]
    assert with_following["last_message_at"] is None, "a comment opens no window"
    if follows:
        connected.control("PATCH", f"customers/{ANA}", {"is_user_follow_business": True})
    answer = private(connected, comment, "In private").json()
    assert answer["recipient_id"] == ANA
    view = connected.session.get(f"{connected.url}/phone/view", params={"customer": ANA}).json()
    assert view["requested"] is requested
    assert view["messages"][0]["comment"]["text"] == "price?"
    assert view["posts"][0]["comments"][0]["private"] is True
    assert error_of(connected.send("and more")) == (400, 10, 2534022), "not before they answer"
    assert error_of(private(connected, comment)) == (400, 100, 2534025)
    connected.dm("yes please")
    assert connected.send("more").status_code == 200
    view = connected.session.get(f"{connected.url}/phone/view", params={"customer": ANA}).json()
    assert view["requested"] is False


def test_private_replies_have_limits_of_their_own(connected: Meta, server: Any) -> None:
    connected.control("PATCH", "settings", {"enforce_rates": True})
    comment = connected.dm("price?", kind="comment")["mid"]
    now = server.box.clock.now()
    server.box.calls[f"rate:private:{IGID}"].extend([now - 3500] * 750)
    assert error_of(private(connected, comment)) == (400, 613, 2534040)
    connected.control("POST", "clock", {"advance": 200})
    assert private(connected, comment).status_code == 200
    live = connected.dm("which clay?", kind="comment", post="live")["mid"]
    server.box.calls[f"rate:private:{IGID}"].extend([server.box.clock.now()] * 750)
    assert private(connected, live).status_code == 200, "those on a broadcast are counted apart"


@pytest.mark.browser
def test_the_phone_comments_and_sees_the_answers(chromium: Any, connected: Meta) -> None:
    page = chromium.new_page()
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(connected.url)
    page.get_by_label("Comment", exact=True).fill("How much is it?")
    page.keyboard.press("Enter")
    page.locator("#comments li", has_text="How much is it?").wait_for()
    (comment,) = connected.control("GET", "comments")["comments"]
    connected.graph("POST", f"{comment['id']}/replies", json={"message": "Look at your messages"})
    page.locator("#comments .answer", has_text="Look at your messages").wait_for()
    private(connected, comment["id"], "24 euro")
    page.locator("#log .them .bubble", has_text="24 euro").wait_for()
    page.locator("#log .quote", has_text="About your comment: How much is it?").wait_for()
    page.locator("#requested").wait_for()
    page.get_by_role("button", name="Correct: How much is it?").click()
    page.get_by_label("Comment", exact=True).fill("How much are two?")
    page.get_by_role("button", name="Post comment").click()
    page.locator("#comments li", has_text="How much are two?").wait_for()
    page.get_by_role("button", name="Start a broadcast").click()
    page.get_by_role("button", name="End the broadcast").wait_for()
    option = page.locator("#post option", has_text="Broadcast, live").first.get_attribute("value")
    page.locator("#post").select_option(option)
    page.get_by_label("Comment", exact=True).fill("Which clay is that?")
    page.keyboard.press("Enter")
    page.locator("#comments li", has_text="Which clay is that?").wait_for()
    page.get_by_role("button", name="Take away: Which clay is that?").click()
    page.locator("#comments-empty").wait_for()
    page.get_by_role("button", name="End the broadcast").click()
    page.locator("#post option", has_text="Broadcast, over").wait_for(state="attached")
    page.get_by_role("button", name="Mention elsewhere").click()
    page.locator("#post option", has_text="@glaze.fan.sample").wait_for(state="attached")
    assert problems == []
