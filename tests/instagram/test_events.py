"""What each event of Meta's becomes in the inbox."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from host.core import clock
from host.sdk.channel import AccountRef
from host.sdk.messages import (
    AccountNoticed,
    ConversationHandedOver,
    Handover,
    Ignored,
    InboundChange,
    MessageEchoed,
    MessageEdited,
    MessageKind,
    MessageReacted,
    MessageReceived,
    MessagesRead,
    Program,
    Who,
)
from tests.instagram import world
from tests.instagram.world import ANA, LINK, POTTERY, Addon, item

AT = datetime(2025, 10, 9, 8, 53, 21, 321000, tzinfo=UTC)


@pytest.fixture
def read(ig: Addon) -> Any:
    def run(event: Any, container: str = "messaging") -> InboundChange:
        change, *_asked = ig.webhook.events.parse(world.envelope(event, container=container))
        return change  # type: ignore[no-any-return]

    return run


@pytest.fixture
def received(read: Any) -> Any:
    def run(container: str = "messaging", **body: Any) -> MessageReceived:
        change = read(item(timestamp=1760000001321, message={"mid": "m1", **body}), container)
        assert isinstance(change, MessageReceived)
        return change

    return run


def test_a_text(received: Any) -> None:
    change = received(text="Hi, is this in stock?")
    assert change == MessageReceived(
        contact=ANA, external_id="m1", sent_at=AT, kind=MessageKind.TEXT, text="Hi, is this in stock?"
    )
    assert change.opens_window


@pytest.mark.parametrize(
    ("sent", "kind"),
    [
        ("image", MessageKind.IMAGE),
        ("media", MessageKind.IMAGE),
        ("video", MessageKind.VIDEO),
        ("audio", MessageKind.AUDIO),
        ("file", MessageKind.FILE),
        ("sticker", MessageKind.STICKER),
        ("gif", MessageKind.STICKER),
        ("MEDIA_SHARE", MessageKind.SHARE),
        ("share", MessageKind.SHARE),
        ("ig_post", MessageKind.SHARE),
        ("post", MessageKind.SHARE),
        ("ig_reel", MessageKind.SHARE),
        ("reel", MessageKind.SHARE),
        ("ig_story", MessageKind.SHARE),
        ("story", MessageKind.SHARE),
        ("story_mention", MessageKind.STORY_MENTION),
        ("fallback", MessageKind.SHARE),
    ],
)
def test_an_attachment_of_every_kind_is_linked(received: Any, sent: str, kind: MessageKind) -> None:
    change = received(attachments=[{"type": sent, "payload": {"url": LINK, "title": "A mug"}}])
    assert change.kind is kind
    assert [(each.kind, each.url) for each in change.attachments] == [(kind, LINK)]
    assert change.opens_window


def test_several_files_are_one_message(received: Any) -> None:
    files = [{"type": "image", "payload": {"url": f"{LINK}{number}"}} for number in range(10)]
    change = received(attachments=[*files, {"type": "video", "payload": {"url": LINK}}])
    assert change.kind is MessageKind.IMAGE
    assert len(change.attachments) == 11


def test_text_beside_a_file_is_kept(received: Any) -> None:
    change = received(text="look", attachments=[{"type": "image", "payload": {"url": LINK}}])
    assert (change.kind, change.text) == (MessageKind.IMAGE, "look")


def test_a_shared_reel_keeps_what_was_told_of_it(received: Any) -> None:
    payload = {"reel_video_id": "17906265141500001", "title": "caption", "url": LINK}
    change = received(attachments=[{"type": "ig_reel", "payload": payload}])
    assert change.content["shared"] == [{"type": "ig_reel", "payload": payload}]


def test_a_heart_is_a_sticker_one_can_see(received: Any) -> None:
    change = received(attachments=[{"type": "like_heart"}])
    assert (change.kind, change.text) == (MessageKind.STICKER, "\u2764\ufe0f")


def test_a_story_passed_on_is_a_share_not_a_reply_to_ours(received: Any) -> None:
    payload = {"story_media_id": "18", "story_media_url": LINK}
    change = received(text="have you seen this?", attachments=[{"type": "ig_story", "payload": payload}])
    assert (change.kind, change.text) == (MessageKind.SHARE, "have you seen this?")
    assert change.content == {"shared": [{"type": "ig_story", "payload": {**payload, "url": LINK}}]}
    assert [(each.kind, each.url) for each in change.attachments] == [(MessageKind.SHARE, LINK)]


def test_the_answered_story_told_as_an_attachment_too_is_shown_once(received: Any) -> None:
    attached = {"type": "ig_story", "payload": {"story_media_id": "18", "story_media_url": f"{LINK}2"}}
    answered = {"story": {"id": "18", "url": LINK}}
    change = received(text="love this", attachments=[attached], reply_to=answered)
    assert (change.kind, change.content) == (MessageKind.STORY_REPLY, {"story": answered["story"]})
    assert [(each.kind, each.url) for each in change.attachments] == [(MessageKind.STORY_REPLY, LINK)]
    change = received(text="love this", attachments=[attached], reply_to={"story": {"id": "18"}})
    assert [(each.kind, each.url) for each in change.attachments] == [(MessageKind.STORY_REPLY, f"{LINK}2")]
    another = {"type": "ig_story", "payload": {"story_media_id": "19", "story_media_url": f"{LINK}3"}}
    change = received(text="like this one", attachments=[another], reply_to=answered)
    assert [each.kind for each in change.attachments] == [MessageKind.SHARE, MessageKind.STORY_REPLY]
    assert change.kind is MessageKind.STORY_REPLY


def test_a_story_mention_knows_its_story(received: Any) -> None:
    change = received(attachments=[{"type": "story_mention", "payload": {"url": LINK}}])
    story = {"id": "", "url": LINK, "asked": True}
    assert (change.kind, change.content["story"]) == (MessageKind.STORY_MENTION, story)
    assert [(each.kind, each.url) for each in change.attachments] == [(MessageKind.STORY_MENTION, LINK)]


def test_a_story_reply_knows_its_story(received: Any) -> None:
    change = received(text="love this", reply_to={"story": {"id": "18", "url": LINK}})
    assert (change.kind, change.text) == (MessageKind.STORY_REPLY, "love this")
    assert change.content["story"] == {"id": "18", "url": LINK}
    assert [(each.kind, each.url) for each in change.attachments] == [(MessageKind.STORY_REPLY, LINK)]
    picture = {"type": "image", "payload": {"url": LINK}}
    change = received(attachments=[picture], reply_to={"story": {"id": "18"}})
    assert [each.kind for each in change.attachments] == [MessageKind.IMAGE], "it has no preview any more"


def test_a_reply_knows_the_message_it_answers(received: Any) -> None:
    change = received(text="this one", reply_to={"mid": "m0", "is_self_reply": False})
    assert (change.kind, change.reply_to, change.content) == (MessageKind.TEXT, "m0", {})


def test_a_tapped_quick_reply_is_its_title_and_payload(received: Any) -> None:
    change = received(text="Red", quick_reply={"payload": "COLOR_RED"})
    assert (change.kind, change.text) == (MessageKind.QUICK_REPLY, "Red")
    assert change.content["payload"] == "COLOR_RED"
    assert change.opens_window


def test_where_a_message_came_from_is_kept(received: Any) -> None:
    referral = {
        "ref": "summer",
        "ad_id": 6045246247001,
        "source": "ADS",
        "ads_context_data": {"ad_title": "S"},
    }
    change = received(text="More info?", referral=referral)
    assert (change.kind, change.content["referral"]) == (MessageKind.TEXT, referral)


def test_a_disappearing_picture_is_shown_as_such(received: Any) -> None:
    change = received(attachments=[{"type": "ephemeral"}])
    assert (change.kind, change.attachments, change.opens_window) == (MessageKind.DISAPPEARING, (), True)


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ({"is_unsupported": True}, "unsupported"),
        (
            {"attachments": [{"type": "appointment_booking", "payload": {"a": 1}}]},
            "attachment appointment_booking",
        ),
        ({"attachments": [{"type": "fallback", "payload": None}]}, "attachment fallback"),
        ({"attachments": [{}]}, "attachment nothing"),
        ({}, "message"),
        ({"text": ""}, "message"),
    ],
)
def test_what_is_not_known_is_a_row_that_keeps_everything(
    received: Any, body: dict[str, Any], name: str
) -> None:
    change = received(**body)
    assert change.kind is MessageKind.UNSUPPORTED
    assert change.content["event"] == name
    assert change.content["raw"]["message"] == {"mid": "m1", **body}
    assert change.external_id == "m1"


def test_a_known_file_beside_an_unknown_one_is_still_a_file(received: Any) -> None:
    change = received(attachments=[{"type": "hologram"}, {"type": "image", "payload": {"url": LINK}}])
    assert change.kind is MessageKind.IMAGE


@pytest.mark.parametrize("url", ["javascript:alert(1)", "file:///etc/passwd", "", None, 7, "x" * 9000])
def test_only_web_addresses_are_links(received: Any, url: object) -> None:
    assert received(attachments=[{"type": "image", "payload": {"url": url}}]).attachments == ()


def test_a_message_in_standby_is_a_message(received: Any) -> None:
    change = received("standby", text="Hi")
    assert (change.kind, change.text, change.content) == (MessageKind.TEXT, "Hi", {"standby": True})


def test_a_button_is_a_message_that_opens_the_window(read: Any) -> None:
    change = read(item(postback={"mid": "m3", "title": "Talk to a person", "payload": "CARE_HELP"}))
    assert (change.kind, change.text, change.external_id) == (MessageKind.POSTBACK, "Talk to a person", "m3")
    assert change.content["payload"] == "CARE_HELP"
    assert change.opens_window


def test_an_old_ice_breaker_without_an_id_is_one_too(read: Any) -> None:
    change = read(item(postback={"title": "Where are you?", "payload": "LOC"}))
    assert (change.external_id, change.opens_window) == (None, True)


@pytest.mark.parametrize(
    ("parts", "kind", "words"),
    [
        ({"reaction": {"action": "react", "reaction": "love"}}, MessageKind.REACTION, "❤️"),
        ({"message_edit": {"text": "Hello", "num_edit": 1}}, MessageKind.EDIT, "Hello"),
        ({"message": {"is_deleted": True}}, MessageKind.UNSEND, ""),
        ({"referral": {"ref": "flyer-7", "type": "OPEN_THREAD"}}, MessageKind.REFERRAL, ""),
        ({"optin": {"type": "notification_messages"}}, MessageKind.OPT_IN, ""),
        ({"response_feedback": {"feedback": "Good response", "mid": "m0"}}, MessageKind.FEEDBACK, ""),
        ({"brand_new": {"a": 1}}, MessageKind.UNSUPPORTED, ""),
    ],
)
def test_what_is_no_message_is_a_row_that_opens_no_window(
    read: Any, parts: dict[str, Any], kind: MessageKind, words: str
) -> None:
    change = read(item(**parts))
    assert isinstance(change, MessageReceived)
    assert (change.kind, change.text, change.opens_window) == (kind, words, False)
    assert change.external_id is None


@pytest.mark.parametrize(
    ("told", "state"),
    [
        ({"notification_messages_token": "t", "title": "Weekly news"}, "on"),
        ({"notification_messages_status": "STOP_NOTIFICATIONS", "title": "Weekly news"}, "stopped"),
        ({"notification_messages_status": "RESUME_NOTIFICATIONS", "title": "Weekly news"}, "resumed"),
    ],
)
def test_an_opt_in_tells_its_title_and_what_became_of_it(read: Any, told: Any, state: str) -> None:
    change = read(item(optin={"type": "notification_messages", "payload": "P", **told}))
    assert change.content == {"opt_in": {"title": "Weekly news", "state": state}}, "the token is not kept"


@pytest.mark.parametrize(
    ("said", "rating"), [("Good response", "good"), ("Bad response", "bad"), ("Neither", ""), (None, "")]
)
def test_feedback_names_the_message_it_is_about(read: Any, said: Any, rating: str) -> None:
    change = read(item(response_feedback={"feedback": said, "mid": "m0"}))
    assert (change.kind, change.reply_to) == (MessageKind.FEEDBACK, "m0")
    assert change.content == {"rating": rating}


@pytest.mark.parametrize(
    "parts",
    [
        {"message": {"mid": "m1", "text": "Hi"}},
        {"postback": {"mid": "m1", "title": "Where are you?"}},
        {"message_edit": {"mid": "m1", "text": "Hello", "num_edit": 0}},
        {"referral": {"ref": "flyer-7"}},
        {"optin": {"type": "notification_messages"}},
        {"brand_new": {"a": 1}},
    ],
)
def test_a_customers_name_that_came_along_is_used_at_once(read: Any, parts: dict[str, Any]) -> None:
    event = item(**parts)
    assert read(event).contact_username is None
    event["sender"] = {**event["sender"], "username": "ana.sample"}
    assert read(event).contact_username == "ana.sample"


def test_our_own_name_is_no_customers(read: Any) -> None:
    event = echo(reaction={"action": "react", "reaction": "love"})
    del event["message"]
    event["sender"] = {**event["sender"], "username": "sample.pottery"}
    assert read(event).contact_username is None


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("pass_thread_control", Handover.PASSED),
        ("take_thread_control", Handover.TAKEN),
        ("request_thread_control", Handover.REQUESTED),
        ("app_roles", Handover.ROLES),
    ],
)
@pytest.mark.parametrize("inner", [{"metadata": "please"}, {}, None, [], "x"])
def test_what_apps_do_among_themselves_is_a_line(read: Any, name: str, how: Handover, inner: object) -> None:
    note = "please" if inner == {"metadata": "please"} else ""
    found = read(item(timestamp=1760000001321, **{name: inner}))
    assert found == ConversationHandedOver(ANA, AT, how, note)


@pytest.mark.parametrize(
    ("reaction", "name", "emoji"),
    [
        ({"reaction": "love", "emoji": "❤️"}, "love", "❤️"),
        ({"reaction": "love"}, "love", "❤️"),
        ({"reaction": "other", "emoji": "🎉"}, "other", "🎉"),
        ({"emoji": "🎉"}, "other", "🎉"),
        ({"reaction": "other"}, "other", "❔"),
        ({}, "other", "❔"),
    ],
)
def test_a_reaction_has_a_name_and_an_emoji(
    read: Any, reaction: dict[str, str], name: str, emoji: str
) -> None:
    event = item(timestamp=1760000001321, reaction={"mid": "m1", "action": "react", **reaction})
    assert read(event) == MessageReacted(ANA, "m1", AT, emoji, name)


def test_a_reaction_taken_back_and_one_of_ours(read: Any) -> None:
    event = item(timestamp=1760000001321, reaction={"mid": "m1", "action": "unreact"})
    assert read(event) == MessageReacted(ANA, "m1", AT, "", removed=True)
    ours = item(ANA, POTTERY, timestamp=1760000001321, reaction={"mid": "m1", "reaction": "like"})
    assert read(ours) == MessageReacted(ANA, "m1", AT, "👍", "like", ours=True)


@pytest.mark.parametrize(
    ("given", "number"),
    [
        (1, 1),
        ("3", 3),
        (None, None),
        ("", None),
        (-1, None),
        (900, None),
        ("x", None),
        ([], None),
        (1.0, None),
    ],
)
def test_an_edit_has_the_text_and_its_number(read: Any, given: object, number: int | None) -> None:
    edit = {"mid": "m1", "text": "Hello", "num_edit": given}
    event = item(timestamp=1760000001321, message_edit=edit)
    assert read(event) == MessageEdited(ANA, "m1", AT, "Hello", number)


def test_an_unsend_names_every_event_that_carried_the_message(ig: Addon, read: Any) -> None:
    change = read(item(timestamp=1760000001321, message={"mid": "m1", "is_deleted": True}))
    assert (change.contact, change.external_id, change.at) == (ANA, "m1", AT)
    carrying = [
        item(message={"mid": "m1", "text": "a"}),
        world.echo(mid="m1"),
        item(postback={"mid": "m1", "title": "a"}),
        *(item(message_edit={"mid": "m1", "text": "a", "num_edit": number}) for number in range(6)),
    ]
    for event in carrying:
        kind = ig.webhook.envelopes.kind_of(event, ours=ig.webhook.envelopes.sides_of(event, POTTERY).ours)
        assert ig.webhook.envelopes.dedupe_key(event, kind, ANA) in change.carried_by


@pytest.mark.parametrize("ours", [False, True])
def test_edits_and_unsends_of_our_own_messages_name_the_customer(read: Any, ours: bool) -> None:
    sides = (ANA, POTTERY) if ours else (POTTERY, ANA)
    assert read(item(*sides, message={"mid": "m1", "is_deleted": True})).contact == ANA
    assert read(item(*sides, message_edit={"mid": "m1", "text": "a", "num_edit": 1})).contact == ANA


def test_an_unknown_event_names_itself_and_is_kept_whole(read: Any) -> None:
    event = item(brand_new={"a": [1, {"b": None}]})
    change = read(event)
    assert change.content == {"event": "brand_new", "raw": event}


def test_an_edit_numbered_zero_is_the_message_itself(read: Any) -> None:
    change = read(item(message_edit={"mid": "m1", "text": "Hello", "num_edit": 0}))
    assert (change.kind, change.external_id, change.opens_window) == (MessageKind.TEXT, "m1", True)


def test_seen_names_the_message_that_was_seen(read: Any) -> None:
    assert read(item(timestamp=1760000001321, read={"mid": "m2"})) == MessagesRead(ANA, "m2", AT)
    assert isinstance(read(item(read={"watermark": 1})), Ignored)


def test_an_echo_is_from_our_side(read: Any) -> None:
    change = read(world.echo(text="Yes, 3 left") | {"timestamp": 1760000001321})
    assert change == MessageEchoed(contact=ANA, external_id="mid-out", sent_at=AT, text="Yes, 3 left")


def test_an_echo_of_a_file_or_a_template_is_of_that_kind(read: Any) -> None:
    picture = [{"type": "image", "payload": {"url": LINK}}]
    assert read(world.echo(text=None, attachments=picture)).kind is MessageKind.IMAGE
    template = [{"type": "template", "payload": {"generic": {"elements": [{"title": "a"}]}}}]
    assert read(world.echo(text=None, attachments=template)).kind is MessageKind.TEMPLATE


def test_an_echo_without_an_id_gets_one_that_stays_the_same(read: Any) -> None:
    event = world.echo(mid=None) | {"timestamp": 1}
    assert read(event) == read(event)
    assert read(event).external_id.startswith("event:")


@pytest.mark.parametrize(
    "event",
    [
        item(message={"mid": "m", "text": "a", "is_self": True}),
        item(postback={"mid": "m", "title": "a"}, is_self=True),
        item(sender=POTTERY, message={"mid": "m", "text": "a"}),
        world.echo(is_self=True),
    ],
)
def test_an_account_that_writes_to_itself_is_no_customer(read: Any, event: dict[str, Any]) -> None:
    assert isinstance(read(event), Ignored)


def test_a_comment_is_nothing_for_direct_messages(read: Any) -> None:
    value = {
        "from": {"id": ANA, "username": "ana.q"},
        "comment_id": "9",
        "text": "price?",
        "media": {"id": "1"},
    }
    change = read({"field": "comments", "value": value}, "changes")
    assert change.reason == "comments are switched off for this account"


@pytest.mark.parametrize(
    "change",
    [
        {"field": "comments", "value": {"from": {"id": POTTERY}, "text": "ours"}},
        {"field": "mentions", "value": {"media_id": "1"}},
        {"field": "story_insights", "value": {}},
    ],
)
def test_changes_by_nobody_or_by_us_are_ignored_with_a_reason(read: Any, change: dict[str, Any]) -> None:
    assert read(change, "changes").reason


def test_ids_are_strings_whatever_they_look_like(read: Any) -> None:
    event = {
        "sender": {"id": 1026000000000001},
        "recipient": {"id": 17841400000000001},
        "timestamp": 1760000001321,
    }
    change = read({**event, "message": {"mid": 42, "text": 7}})
    assert (change.contact, change.external_id, change.text) == (ANA, "42", "7")


def test_an_id_too_long_to_store_is_replaced_the_same_way_each_time(read: Any) -> None:
    event = item(message={"mid": "m" * 2000, "text": "a"}, timestamp=1)
    assert read(event).external_id == read(event).external_id
    assert len(read(event).external_id) <= 512


def test_what_databases_refuse_is_replaced(read: Any) -> None:
    change = read(item(message={"mid": "m", "text": "a\0b\ud800c"}))
    assert change.text == "a\ufffdb\ufffdc"


def echo(**message: Any) -> dict[str, Any]:
    return {
        **item(message={"mid": "m1", "is_echo": True, **message}),
        "sender": {"id": POTTERY},
        "recipient": {"id": ANA},
    }


@pytest.mark.parametrize(
    ("app_id", "sent_by"),
    [
        (None, None),
        ("1217981644879628", Program(Who.PROVIDER, "1217981644879628", "Instagram")),
        (263902037430900, Program(Who.PROVIDER, "263902037430900", "Meta Business Suite")),
        ("555", Program(Who.DESK, "555")),
        (777, Program(Who.OTHER, "777")),
    ],
)
def test_an_echo_says_who_sent_it_where_meta_does(ig: Addon, app_id: Any, sent_by: Program | None) -> None:
    named = {} if app_id is None else {"app_id": app_id}
    (change,) = ig.webhook.events.parse(world.envelope(echo(text="Yes", **named), app="555"))
    assert change.sent_by == sent_by


def test_what_reading_needs_of_the_account_comes_with_the_event(ig: Addon, account: AccountRef) -> None:
    ours = next(iter(ig.accounts.book.get().by_account[POTTERY])).app_id
    passed = {"new_owner_app_id": ours}
    body = world.payload(world.entry(echo(text="Yes", app_id=ours), item(pass_thread_control=passed), echo()))
    found = [
        ig.webhook.events.parse(one)[0]
        for one in ig.webhook.verification.authenticate(world.post(body)).envelopes
    ]
    assert [found[0].sent_by, found[1].to, found[2].sent_by] == [Program(Who.DESK, ours)] * 2 + [None]


def test_an_echo_keeps_the_quick_replies_it_offered(read: Any) -> None:
    offered = [{"content_type": "text", "title": "Red", "payload": "R"}, {"content_type": "user_email"}, 7]
    change = read(echo(text="Which?", quick_replies=offered))
    assert (change.kind, change.text) == (MessageKind.TEXT, "Which?")
    assert change.content["quick_replies"][0] == {"title": "Red", "payload": "R"}


def test_a_handover_says_who_has_the_conversation(ig: Addon) -> None:
    for inner, to in (
        ({"new_owner_app_id": "555"}, Program(Who.DESK, "555")),
        ({"new_owner_app_id": 222}, Program(Who.OTHER, "222")),
        ({"new_owner_app_id": None}, None),
    ):
        (change,) = ig.webhook.events.parse(world.envelope(item(pass_thread_control=inner), app="555"))
        assert change.to == to


def _file(kind: str, **payload: Any) -> dict[str, Any]:
    return {"type": kind, "payload": payload}


@pytest.mark.parametrize(
    ("attachments", "shown"),
    [
        ([_file("share", url=LINK), _file("ig_post", url=LINK, ig_post_media_id="1")], ["ig_post"]),
        ([_file("ig_post", url=LINK, title="Mugs"), _file("share", url=LINK)], ["ig_post"]),
        ([_file("share", url=f"{LINK}1"), _file("ig_reel", url=f"{LINK}2", reel_video_id="1")], ["ig_reel"]),
        (
            [_file("reel", url=f"{LINK}1", reel_video_id="1"), _file("ig_reel", url=LINK, reel_video_id="1")],
            ["reel"],
        ),
        ([_file("share", url=f"{LINK}1"), _file("share", url=f"{LINK}2")], ["share", "share"]),
        (
            [
                _file("share", url=f"{LINK}1"),
                _file("share", url=f"{LINK}2"),
                _file("ig_post", url=f"{LINK}3"),
            ],
            ["share", "share", "ig_post"],
        ),
    ],
)
def test_two_forms_of_one_share_are_one(received: Any, attachments: list[Any], shown: list[str]) -> None:
    change = received(attachments=attachments)
    assert [one["type"] for one in change.content["shared"]] == shown
    assert len(change.attachments) == len(shown)


def test_two_pictures_of_one_kind_are_two(received: Any) -> None:
    change = received(attachments=[_file("image", url=f"{LINK}1"), _file("image", url=f"{LINK}2")])
    assert len(change.attachments) == 2


@pytest.mark.parametrize(
    "attachments",
    [
        [_file("image", url=LINK, sticker_id=369)],
        [_file("image", url=LINK, sticker_id="369"), _file("sticker", url=LINK, sticker_id="369")],
        [_file("sticker", url=LINK, sticker_id=369), _file("image", url=LINK, sticker_id=369)],
    ],
)
def test_a_sticker_is_a_sticker_once(received: Any, attachments: list[Any]) -> None:
    change = received(attachments=attachments)
    assert (change.kind, len(change.attachments)) == (MessageKind.STICKER, 1)


def test_a_sticker_without_a_picture_is_no_heart(received: Any) -> None:
    assert received(attachments=[_file("sticker", sticker_id="369")]).text == ""


def test_a_document_has_its_name(received: Any) -> None:
    (file,) = received(attachments=[_file("file", url=LINK, name="offer.pdf")]).attachments
    assert file.name == "offer.pdf"


@pytest.mark.parametrize("what", ["message", "postback"])
def test_a_referral_beside_it_is_kept(read: Any, what: str) -> None:
    referral = {"ref": "flyer-7", "source": "SHORTLINK"}
    change = read(item(**{what: {"mid": "m1", "text": "Hi"}}, referral=referral))
    assert change.content["referral"] == referral
    inside = {"ref": "inside"}
    change = read(item(**{what: {"mid": "m1", "text": "Hi", "referral": inside}}, referral=referral))
    assert change.content["referral"] == inside


@pytest.mark.parametrize("name", ["policy_enforcement", "policy-enforcement"])
def test_what_meta_enforces_is_a_notice_about_the_account(read: Any, name: str) -> None:
    def noticed(**inner: str) -> AccountNoticed:
        change = read({"recipient": {"id": POTTERY}, "timestamp": 1760000001321, name: inner})
        assert isinstance(change, AccountNoticed)
        return change

    blocked = noticed(action="block", reason="Spam.")
    assert (blocked.kind, blocked.bad, blocked.over, blocked.at) == ("policy", True, False, AT)
    assert "Spam." in blocked.sentence % blocked.details
    assert not noticed(action="warning", reason="Slow down.").bad
    assert noticed(action="unblock").over


def test_a_time_ahead_of_metas_own_clock_is_not_believed(ig: Addon, account: AccountRef) -> None:
    def at(event: float, entry: float | None) -> float:
        """How far ahead of our clock an event is taken to be, in minutes."""
        now = int(clock.now().timestamp() * 1000)
        ahead = item(timestamp=now + int(event * 60_000), message={"mid": "m1", "text": "Hi"})
        time = {} if entry is None else {"time": now + int(entry * 60_000)}
        body = world.payload({"id": POTTERY, "messaging": [ahead], **time})
        (found,) = ig.webhook.verification.authenticate(world.post(body)).envelopes
        (change,) = ig.webhook.events.parse(found)
        return round((change.sent_at.timestamp() * 1000 - now) / 60_000)

    assert at(90, 0) == 0, "the event is wrong"
    assert at(0.9, 0) == 1, "clocks differ, and what was written in one second keeps its order"
    assert at(60, 60) == 60, "our clock is behind"
    assert at(90, None) == 0
    assert at(-5, 0) == -5
