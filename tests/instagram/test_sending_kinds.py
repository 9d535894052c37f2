"""Everything that can be sent, over the wire: files, cards, quotes, reactions, greetings."""

from __future__ import annotations

import json
from datetime import timedelta
from io import BytesIO
from typing import Any

import pytest

from host.core import clock
from host.core.backports.values import replace
from host.inbox.sendable import NotSendableError, check_asks
from host.sdk.channel import (
    Absent,
    AccountRef,
    Ask,
    CannotTell,
    Found,
    Held,
    NotSent,
    ProviderProblem,
    ReactRequest,
    Rejected,
    SearchRequest,
    SendRequest,
    SendResult,
    Sent,
    Unknown,
)
from host.sdk.messages import IceBreaker, MenuItem, MessageKind, OutgoingFile, OutgoingPart
from host.sdk.rules import UsedFor
from host.sdk.secrets import Secret
from host.sdk.testing import declared_parts
from tests.instagram import world
from tests.instagram.world import ANA, POTTERY, STUDIO, Addon, Meta

HEART = "\u2764\ufe0f"
TYPES = {
    MessageKind.IMAGE: "image/png",
    MessageKind.VIDEO: "video/mp4",
    MessageKind.AUDIO: "audio/wav",
    MessageKind.FILE: "application/pdf",
}


def a_file(kind: MessageKind, *, url: str | None = None, data: bytes = b"bytes of a file") -> OutgoingFile:
    return OutgoingFile(kind, "ein Bild.png", TYPES[kind], len(data), url, lambda: BytesIO(data))


def files(kind: MessageKind, count: int = 1, **parts: Any) -> OutgoingPart:
    return OutgoingPart(kind, files=tuple(a_file(kind, **parts) for _ in range(count)))


@pytest.fixture
def adapter(ig: Addon) -> Any:
    return ig.channel.InstagramAdapter()


@pytest.fixture
def send(adapter: Any, account: AccountRef, meta: Meta) -> Any:
    meta.wrote()

    def run(part: OutgoingPart, **changes: Any) -> SendResult:
        answer: SendResult = adapter.send(SendRequest(account, ANA, part, "f" * 32, **changes))
        return answer

    return run


def bodies(meta: Meta) -> list[Any]:
    return [json.loads(entry.body or "") for entry in meta.box.ledger.entries(0) if entry.kind == "send"]


def meta_has(meta: Meta, **files: str) -> None:
    """Let Meta have a file of each kind under the name given for it."""
    for id_, kind in files.items():
        held = {"igid": POTTERY, "kind": kind, "url": "https://cdn.example/a-file"}
        meta.box.world.attachments[id_] = held


def test_everything_declared_is_accepted(ig: Addon, send: Any, meta: Meta) -> None:
    meta.box.settings.fetch_media = False
    meta_has(meta, image="image", video="video", audio="audio", file="file")
    parts = declared_parts(ig.capabilities.CAPABILITIES)
    assert len(parts) >= 10
    for part in parts:
        quoted = replace(part, reply_to=None)
        assert isinstance(send(quoted), Sent), part
    assert len(meta.sent()) == len(parts)


def test_everything_declared_may_be_sent_late_by_a_person(ig: Addon, send: Any, meta: Meta) -> None:
    meta.box.settings.fetch_media = False
    meta_has(meta, image="image", video="video", audio="audio", file="file")
    meta.box.clock.advance(2 * 24 * 3600)
    for part in declared_parts(ig.capabilities.CAPABILITIES):
        assert isinstance(send(replace(part, reply_to=None), tag="HUMAN_AGENT"), Sent), part
    assert {sent["tag"] for sent in meta.sent()} == {"HUMAN_AGENT"}


@pytest.mark.parametrize("kind", TYPES)
def test_a_file_meta_can_fetch_is_sent_by_its_address(send: Any, meta: Meta, kind: MessageKind) -> None:
    meta.box.settings.fetch_media = False
    assert isinstance(send(files(kind, url="https://desk.example.com/media/public/t")), Sent)
    (body,) = bodies(meta)
    payload = {"url": "https://desk.example.com/media/public/t"}
    assert body["message"] == {"attachment": {"type": str(kind), "payload": payload}}
    assert meta.calls("upload") == []


@pytest.mark.parametrize("kind", TYPES)
def test_a_file_meta_cannot_reach_is_uploaded_first(send: Any, meta: Meta, kind: MessageKind) -> None:
    assert isinstance(send(files(kind)), Sent)
    (body,) = bodies(meta)
    (uploaded,) = meta.box.world.attachments
    assert body["message"]["attachment"] == {"type": str(kind), "payload": {"attachment_id": uploaded}}
    assert len(meta.calls("upload")) == 1


def test_a_file_meta_failed_to_fetch_is_uploaded_instead(send: Any, meta: Meta) -> None:
    answer = send(files(MessageKind.IMAGE, url=f"{meta.server.url}/nothing-here"))
    assert isinstance(answer, Sent)
    assert [call["call"] for call in meta.entries("call")] == ["send", "upload", "send"]
    assert len(meta.sent()) == 1


def test_ten_pictures_are_one_message_and_eleven_never_leave(send: Any, meta: Meta) -> None:
    assert isinstance(send(files(MessageKind.IMAGE, 10)), Sent)
    (body,) = bodies(meta)
    assert len(body["message"]["attachments"]) == 10
    before = len(meta.entries("call"))
    assert isinstance(send(files(MessageKind.IMAGE, 11)), Rejected)
    assert isinstance(send(files(MessageKind.VIDEO, 2)), Rejected)
    assert len(meta.entries("call")) == before


def test_addresses_and_uploads_are_not_mixed_unless_meta_fails(send: Any, meta: Meta) -> None:
    both = (a_file(MessageKind.IMAGE, url="https://desk.example.com/x"), a_file(MessageKind.IMAGE))
    assert isinstance(send(OutgoingPart(MessageKind.IMAGE, files=both)), Sent)
    (body,) = bodies(meta)
    assert all("attachment_id" in one["payload"] for one in body["message"]["attachments"])


@pytest.mark.parametrize(
    ("action", "options"),
    [("reset", {"when": "after"}), ("garbage", {}), ("error", {"status": 500}), ("error", {"code": 2})],
)
def test_an_upload_that_broke_off_sent_nothing(send: Any, meta: Meta, action: str, options: Any) -> None:
    meta.fault("upload", action, times=1, **options)
    answer = send(files(MessageKind.VIDEO))
    assert isinstance(answer, NotSent)
    assert "hasn't been handed" in answer.problem.sentence
    assert meta.sent() == []
    assert isinstance(send(files(MessageKind.VIDEO)), Sent)


def test_an_upload_meta_refuses_is_refused_with_its_reason(send: Any, meta: Meta) -> None:
    meta.fault("upload", "error", code=100, subcode=2018109)
    answer = send(files(MessageKind.IMAGE))
    assert isinstance(answer, Rejected)
    assert "too large" in answer.problem.sentence


@pytest.mark.parametrize(
    "fault",
    [
        {"action": "garbage"},
        {"action": "error", "status": 500, "when": "after"},
        {"action": "reset", "when": "after"},
    ],
)
def test_a_lost_answer_to_a_picture_leaves_it_open_whether_it_arrived(
    send: Any, meta: Meta, fault: Any
) -> None:
    meta.fault("send", **fault)
    assert isinstance(send(files(MessageKind.IMAGE)), Unknown)


def test_a_quote_names_the_message_it_answers(send: Any, meta: Meta) -> None:
    first = send(OutgoingPart(MessageKind.TEXT, "One"))
    assert isinstance(send(OutgoingPart(MessageKind.TEXT, "Two", reply_to=first.external_id)), Sent)
    assert bodies(meta)[1]["reply_to"] == {"mid": first.external_id}


def test_a_card_has_only_the_parts_it_was_given(send: Any, meta: Meta) -> None:
    card = {
        "title": "A lamp",
        "subtitle": "",
        "image_url": "https://shop.example.com/lamp.jpg",
        "url": "https://shop.example.com/lamp",
        "buttons": [{"title": "Ask", "payload": "ASK"}],
    }
    part = OutgoingPart(MessageKind.TEMPLATE, content={"template": {"elements": [card]}})
    meta.box.settings.fetch_media = False
    assert isinstance(send(part), Sent)
    (body,) = bodies(meta)
    assert body["message"]["attachment"]["payload"] == {
        "template_type": "generic",
        "elements": [
            {
                "title": "A lamp",
                "image_url": "https://shop.example.com/lamp.jpg",
                "default_action": {"type": "web_url", "url": "https://shop.example.com/lamp"},
                "buttons": [{"type": "postback", "title": "Ask", "payload": "ASK"}],
            }
        ],
    }


@pytest.mark.parametrize("ask", list(Ask))
def test_what_meta_withdrew_is_refused_with_why_and_since_when(ig: Addon, ask: Ask) -> None:
    for adapter in (ig.channel.InstagramAdapter, ig.comments.channel.CommentsAdapter):
        with pytest.raises(NotSendableError) as refused:
            check_asks([{"quick_replies": [{"title": "No"}, {"ask": ask.value}]}], adapter.withdrawn_asks)
        assert (refused.value.code, refused.value.status) == ("quick_reply_ask", 409)
        assert "Meta disabled" in str(refused.value)
        assert "on 5 October 2026" in str(refused.value)
    for limits in (
        ig.capabilities.CAPABILITIES.quick_replies,
        ig.comments.capabilities.CAPABILITIES.private_replies.quick_replies,
    ):
        assert limits.asks == frozenset()


@pytest.mark.parametrize(("offered", "left"), [([{"title": "No", "payload": "NO"}], True), ([], False)])
def test_what_waited_from_before_goes_without_the_buttons_that_ask(
    send: Any, meta: Meta, offered: list[Any], left: bool
) -> None:
    asked = {"quick_replies": [{"ask": "phone"}, *offered]}
    assert isinstance(send(OutgoingPart(MessageKind.TEXT, "Call you?", content=asked)), Sent)
    message: dict[str, Any] = {"text": "Call you?"}
    if left:
        message["quick_replies"] = [{"content_type": "text", **offered[0]}]
    assert bodies(meta)[-1]["message"] == message


@pytest.mark.parametrize(
    "part",
    [
        OutgoingPart(MessageKind.TEXT, ""),
        OutgoingPart(MessageKind.IMAGE),
        OutgoingPart(MessageKind.STICKER),
        OutgoingPart(MessageKind.STICKER, content={"sticker": "cat"}),
        OutgoingPart(MessageKind.SHARE),
        OutgoingPart(MessageKind.TEMPLATE),
        OutgoingPart(MessageKind.TEMPLATE, content={"template": {"elements": [{}]}}),
        OutgoingPart(MessageKind.TEMPLATE, content={"template": 7}),
        OutgoingPart(MessageKind.TEXT, "a", content={"quick_replies": ["b"]}),
        OutgoingPart(MessageKind.STORY_MENTION, "a"),
        OutgoingPart(MessageKind.TEXT, "a", files=(a_file(MessageKind.IMAGE),)),
    ],
)
def test_what_lacks_its_substance_never_leaves(send: Any, meta: Meta, part: OutgoingPart) -> None:
    assert isinstance(send(part), Rejected)
    assert meta.entries("call") == []


@pytest.mark.parametrize(
    "link",
    [
        "https://www.instagram.com/p/Post001129/",
        "https://www.instagram.com/p/Post001129?igsh=MTc4",
        "https://instagram.com/sample.pottery/p/Post001129/",
        "https://www.instagram.com/reel/Post001129/",
    ],
)
def test_a_post_may_be_named_by_its_link(send: Any, meta: Meta, link: str) -> None:
    assert isinstance(send(OutgoingPart(MessageKind.SHARE, content={"own_post": link})), Sent)
    (body,) = bodies(meta)
    assert body["message"]["attachment"]["payload"] == {"id": "17895000000100129"}


def test_a_post_of_long_ago_is_found_too(send: Any, meta: Meta) -> None:
    link = "https://www.instagram.com/p/Post0011/"
    assert isinstance(send(OutgoingPart(MessageKind.SHARE, content={"own_post": link})), Sent)
    assert bodies(meta)[0]["message"]["attachment"]["payload"] == {"id": "17895000000100001"}


@pytest.mark.parametrize(
    "link",
    [
        "https://www.instagram.com/p/Post0021/",
        "https://www.instagram.com/stories/x/1/",
        "https://[::1/p/Post0011/",
        "/",
    ],
)
def test_a_link_to_something_else_is_refused(send: Any, meta: Meta, link: str) -> None:
    answer = send(OutgoingPart(MessageKind.SHARE, content={"own_post": link}))
    assert isinstance(answer, Rejected)
    assert "post wasn't found" in answer.problem.sentence
    assert meta.calls("send") == []


def test_looking_for_a_post_that_breaks_off_sent_nothing(send: Any, meta: Meta) -> None:
    meta.fault("media", "error", status=500)
    link = "https://www.instagram.com/p/Post0011/"
    assert isinstance(send(OutgoingPart(MessageKind.SHARE, content={"own_post": link})), NotSent)
    assert meta.calls("send") == []


# What assistants are told


def used(ig: Addon, account: AccountRef, **arguments: str) -> str:
    (tool,) = ig.rules.TOOLS
    told: str = tool.use(UsedFor(account, ANA, None, {}, "1-1"), arguments)
    return told


def test_an_assistant_reads_the_posts_those_with_the_words_first(
    ig: Addon, account: AccountRef, meta: Meta
) -> None:
    newest = used(ig, account)
    assert newest.count("\n\n") == 7
    assert newest.startswith("20")
    assert "https://www.instagram.com/" in newest
    named = used(ig, account, words="post 77")
    assert "Post 77 of" in named.partition("\n\n")[0]
    assert "Post 77 of" not in newest


def test_where_meta_does_not_answer_the_tool_fails(ig: Addon, account: AccountRef, meta: Meta) -> None:
    meta.fault("media", "error", status=500)
    with pytest.raises(ig.graph.GraphError):
        used(ig, account)


def test_without_a_token_the_tool_fails(ig: Addon, account: AccountRef) -> None:
    with pytest.raises(ig.rules._NotConnectedError):
        used(ig, replace(account, id=account.id + 1000))


# Reactions, typing, seen


@pytest.fixture
def react(adapter: Any, account: AccountRef, meta: Meta) -> Any:
    def run(message: str, emoji: str) -> SendResult:
        answer: SendResult = adapter.react(ReactRequest(account, ANA, message, emoji))
        return answer

    return run


def test_a_reaction_is_set_and_taken_away(send: Any, react: Any, meta: Meta) -> None:
    mid = next(iter(meta.box.world.messages))
    message = meta.box.world.messages[mid]
    assert react(mid, HEART) == Sent(mid)
    assert message.reactions["business"] == HEART
    assert react(mid, HEART) == Sent(mid), "again is harmless"
    assert react(mid, "") == Sent(mid)
    assert "business" not in message.reactions
    first = bodies(meta)[0]
    assert first == {
        "recipient": {"id": ANA},
        "sender_action": "react",
        "payload": {"message_id": mid, "reaction": "love"},
    }


def test_a_reaction_to_nothing_is_refused(send: Any, react: Any) -> None:
    assert isinstance(react("nothing", HEART), Rejected)


def test_typing_and_seen_reach_the_phone(adapter: Any, account: AccountRef, send: Any, meta: Meta) -> None:
    ana = meta.box.world.customers[ANA]
    shown = []
    for on in (True, False):
        adapter.show_typing(account, ANA, on)
        shown.append(ana.typing)
    assert shown == [True, False]
    adapter.mark_seen(account, ANA)
    assert ana.seen_at is not None
    assert bodies(meta) == [
        {"recipient": {"id": ANA}, "sender_action": action}
        for action in ("typing_on", "typing_off", "mark_seen")
    ]


# Whom an error stops


def test_somebody_who_cannot_be_reached_closes_their_conversation(send: Any, meta: Meta) -> None:
    meta.fault("send", "error", times=1, code=551)
    answer = send(OutgoingPart(MessageKind.TEXT, "a"))
    assert (answer.whole_contact, answer.until) == (True, None)
    meta.fault("send", "error", times=1, code=10, subcode=2018108)
    answer = send(OutgoingPart(MessageKind.TEXT, "a"))
    assert answer.whole_contact
    assert timedelta(minutes=59) < answer.until - clock.now() <= timedelta(hours=1)
    meta.fault("send", "error", times=1, code=100, subcode=2534015)
    assert not send(OutgoingPart(MessageKind.TEXT, "a")).whole_contact


def test_the_limit_of_an_app_names_every_account_of_it(
    ig: Addon, send: Any, account: AccountRef, meta: Meta
) -> None:
    other = world.connect(ig, STUDIO)
    world.connect(ig, world.CAFE, app_id="9")
    meta.fault("send", "error", times=1, code=4)
    answer = send(OutgoingPart(MessageKind.TEXT, "a"))
    assert (answer.whole_account, answer.other_accounts) == (True, (other.id,))
    meta.fault("send", "error", times=1, code=613)
    assert send(OutgoingPart(MessageKind.TEXT, "a")).other_accounts == ()


# Ice breakers and the menu


def test_ice_breakers_are_set_read_back_and_deleted(adapter: Any, account: AccountRef, meta: Meta) -> None:
    wanted = {
        "en_GB": (IceBreaker("Where are you?", "WHERE"),),
        "default": (IceBreaker("Where?", "WHERE"), IceBreaker("When?", "WHEN")),
    }
    assert adapter.ice_breakers(account) == {}
    assert adapter.set_ice_breakers(account, wanted) == wanted
    assert adapter.ice_breakers(account) == wanted
    assert meta.box.world.accounts[world.POTTERY].profile["ice_breakers"][0]["locale"] == "default"
    assert adapter.set_ice_breakers(account, {}) == {}
    assert adapter.ice_breakers(account) == {}


def test_the_menu_is_set_read_back_and_deleted(adapter: Any, account: AccountRef, meta: Meta) -> None:
    wanted = {"default": (MenuItem("Talk to us", "HELP"), MenuItem("Shop", url="https://shop.example.com/"))}
    assert adapter.set_menu(account, wanted) == wanted
    assert adapter.menu(account) == wanted
    assert adapter.set_menu(account, {"default": ()}) == {}


def test_what_meta_refuses_is_a_problem_with_a_sentence(
    adapter: Any, account: AccountRef, meta: Meta
) -> None:
    answer = adapter.set_ice_breakers(account, {"de_DE": (IceBreaker("Wo?", "WO"),)})
    assert isinstance(answer, ProviderProblem)
    assert answer.code == "100"
    meta.fault("messenger_profile", "error", code=190, subcode=460)
    assert adapter.menu(account).code == "190/460"


@pytest.mark.parametrize(
    "text",
    [
        '{"data":[{"ice_breakers":[{"locale":"default","call_to_actions":[{"question":"Q","payload":"P"}]}]}]}',
        '{"data":[{"locale":"default","call_to_actions":[{"question":"Q","payload":"P"}, 7, {"x":1}]}, 8]}',
    ],
)
def test_either_shape_of_what_meta_has_is_read(
    adapter: Any, account: AccountRef, meta: Meta, text: str
) -> None:
    meta.fault("messenger_profile", "garbage", text=text)
    assert adapter.ice_breakers(account) == {"default": (IceBreaker("Q", "P"),)}


# Looking for what nobody confirmed


@pytest.fixture
def search(adapter: Any, account: AccountRef) -> Any:
    def run(part: OutgoingPart, **changes: Any) -> Any:
        return adapter.search(
            SearchRequest(account, ANA, part, "f" * 32, attempted_at=clock.now(), **changes)
        )

    return run


def test_pictures_are_found_by_kind_and_number(send: Any, search: Any, meta: Meta) -> None:
    two = files(MessageKind.IMAGE, 2)
    meta.fault("send", "garbage", times=1)
    assert isinstance(send(two), Unknown)
    mid = meta.sent()[0]["mid"]
    assert search(two) == Found(mid)
    assert search(two, known=frozenset({mid})) == Absent()
    assert search(files(MessageKind.IMAGE, 1)) == Absent(), "a message of two is not one of one"
    assert isinstance(search(files(MessageKind.IMAGE, 3)), CannotTell), "some may be shown elsewhere"
    assert search(files(MessageKind.VIDEO)) == Absent()
    assert search(OutgoingPart(MessageKind.TEXT, "a")) == Absent()


@pytest.mark.parametrize("kind", [MessageKind.AUDIO, MessageKind.FILE])
def test_sound_and_documents_cannot_be_told_apart(
    send: Any, search: Any, meta: Meta, kind: MessageKind
) -> None:
    meta.fault("send", "garbage", times=1)
    send(files(kind))
    mid = meta.sent()[0]["mid"]
    assert isinstance(search(files(kind)), CannotTell)
    assert search(files(kind), known=frozenset({mid})) == Absent()


def test_a_heart_may_be_any_message_without_text(send: Any, search: Any, meta: Meta) -> None:
    heart = OutgoingPart(MessageKind.STICKER, content={"sticker": "heart"})
    assert search(heart) == Absent()
    meta.fault("send", "garbage", times=1)
    send(heart)
    assert isinstance(search(heart), CannotTell)
    assert search(heart, known=frozenset({meta.sent()[0]["mid"]})) == Absent()


def test_a_file_meta_has_is_found_like_one_of_ours(send: Any, search: Any, meta: Meta) -> None:
    """Taken for absent it would be sent a second time."""
    meta_has(meta, a="image", b="image")
    two = OutgoingPart(MessageKind.IMAGE, content={"provider_files": ["a", "b"]})
    meta.fault("send", "garbage", times=1)
    assert isinstance(send(two), Unknown)
    mid = meta.sent()[0]["mid"]
    assert search(two) == Found(mid)
    assert search(replace(two, content={"provider_files": ["a"]})) == Absent()
    assert isinstance(send(replace(two, content={"provider_files": ["nobody's"]})), Rejected)


def test_a_text_with_buttons_shown_as_its_text_is_not_absent(send: Any, search: Any, meta: Meta) -> None:
    def part(text: str) -> OutgoingPart:
        buttons = [{"title": "Yes", "payload": "YES"}]
        return OutgoingPart(MessageKind.TEMPLATE, content={"template": {"text": text, "buttons": buttons}})

    meta.fault("send", "garbage", times=1)
    assert isinstance(send(part("Set it aside?")), Unknown)
    (message,) = [one for one in meta.box.world.messages.values() if not one.inbound]
    assert isinstance(search(part("Set it aside?")), CannotTell)
    message.text = "Set it aside?"
    assert isinstance(search(part("Set it aside?")), CannotTell)
    assert search(part("Something else?")) == Absent()


def test_a_conversation_another_app_has_is_taken_and_handed_back(
    adapter: Any, account: AccountRef, send: Any, meta: Meta
) -> None:
    thread = meta.box.conversation(POTTERY, ANA)
    thread.owner = "263902037430900"
    refused = send(OutgoingPart(MessageKind.TEXT, "Hello"))
    assert isinstance(refused, Rejected)
    assert refused.problem.code == "100/2534037"
    assert adapter.take_thread(account, ANA, "") is None
    assert isinstance(send(OutgoingPart(MessageKind.TEXT, "Hello")), Sent)
    assert adapter.pass_thread(account, ANA, "263902037430900", "yours") is None
    assert thread.owner == "263902037430900"


@pytest.mark.parametrize(
    ("code", "subcode", "words"),
    [
        (100, 2534037, "Meta didn't hand over this conversation."),
        (100, None, "Meta didn't hand over this conversation."),
        (190, 460, "The password used to sign in this account was changed."),
        (200, None, "The account is missing a permission for this."),
        (4, None, "The Meta app of this account has reached Meta's request limit."),
    ],
)
def test_why_a_conversation_was_not_handed_over(
    adapter: Any, account: AccountRef, meta: Meta, code: int, subcode: int | None, words: str
) -> None:
    for call in (
        lambda: adapter.take_thread(account, ANA, ""),
        lambda: adapter.pass_thread(account, ANA, "7", ""),
    ):
        more = {} if subcode is None else {"subcode": subcode}
        meta.fault("/*/*_thread_control", "error", code=code, times=1, **more)
        problem = call()
        assert problem.sentence == words
        assert problem.next_step


def test_a_customer_is_blocked_at_instagram_and_let_in_again(
    adapter: Any, account: AccountRef, meta: Meta
) -> None:
    assert adapter.capabilities_of(account).blocks
    customer = meta.box.world.customers[ANA]
    for on in (True, False):
        assert adapter.block(account, ANA, on) is None
        assert customer.blocked_by_business is on
    meta.fault("/*/moderate_conversations", "error", code=200, times=1)
    problem = adapter.block(account, ANA, True)
    assert problem is not None
    assert problem.next_step
    meta.fault("/*/moderate_conversations", "error", code=100, times=1)
    assert adapter.block(account, ANA, True).sentence == "Instagram rejected the request."


def test_without_credentials_everything_is_held(ig: Addon, account: AccountRef) -> None:
    nobody = replace(account, id=2**40)
    adapter = ig.channel.InstagramAdapter()
    assert isinstance(adapter.send(SendRequest(nobody, ANA, files(MessageKind.IMAGE), "f" * 32)), Held)
    assert isinstance(adapter.react(ReactRequest(nobody, ANA, "m", HEART)), Held)
    adapter.show_typing(nobody, ANA, True)
    assert isinstance(adapter.set_menu(nobody, {}), ProviderProblem)
    assert isinstance(adapter.take_thread(nobody, ANA, ""), ProviderProblem)
    assert isinstance(adapter.block(nobody, ANA, True), ProviderProblem)


def test_only_an_account_of_instagram_login_reacts_with_any_emoji_and_changes_it(
    ig: Addon, adapter: Any, desk: Any, meta: Meta
) -> None:
    by_page = world.connect(ig)
    assert adapter.capabilities_of(by_page).reactions == {HEART}
    world.disconnect(by_page)
    by_login = world.connect(
        ig,
        workspace_id=by_page.workspace_id,
        flavour=ig.config.Flavour.LOGIN,
        token=Secret(f"IGAASANDBOXPotteryLong{POTTERY}"),
    )
    assert adapter.capabilities_of(by_login) == replace(
        adapter.capabilities, reactions=frozenset(), blocks=False
    )
    meta.wrote()
    mid = next(iter(meta.box.world.messages))
    for emoji in (HEART, "👍"):
        assert adapter.react(ReactRequest(by_login, ANA, mid, emoji)) == Sent(mid)
        assert meta.box.world.messages[mid].reactions["business"] == emoji
