"""Comments and mentions: answered, hidden, looked up and read again, against the stand-in."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from host.core import clock
from host.sdk import settings
from host.sdk.channel import (
    Absent,
    AccountRef,
    CannotTell,
    Found,
    Held,
    Moderated,
    ModerateRequest,
    NoPost,
    NoProfile,
    NotSent,
    PostPage,
    PrivateContext,
    ProviderProblem,
    Rejected,
    SearchRequest,
    SendRequest,
    Sent,
    Unknown,
)
from host.sdk.history import HistoryPage, HistoryThread, HistoryTrouble, KnownMessage, ThreadPage
from host.sdk.messages import (
    Ignored,
    MessageEchoed,
    MessageEdited,
    MessageKind,
    MessageReceived,
    MessageUnsent,
    OutgoingPart,
    Post,
    PostKind,
    ToLookUp,
)
from tests.instagram import world
from tests.instagram.world import ANA, KIT, POTTERY, Addon, Meta

POST = "17895000000100130"
AT = datetime(2025, 10, 9, 8, 53, 21, tzinfo=UTC)


@pytest.fixture
def adapter(ig: Addon, comments: AccountRef) -> Any:
    return ig.comments.channel.CommentsAdapter()


def said(
    meta: Meta, text: str = "How much?", *, customer: str = ANA, kind: str = "comment", **more: Any
) -> str:
    """Let a customer comment at the stand-in; return the comment's id."""
    from sandbox import play

    box = meta.box
    who = box.world.customers[customer]
    name, _ = play.perform(box, box.world.accounts[who.igid], who, kind, {"text": text, **more})
    assert name is not None
    return str(name)


def request(account: AccountRef, comment: str, text: str = "18 euro", **more: Any) -> SendRequest:
    part = OutgoingPart(MessageKind.TEXT, text, reply_to=comment, private=more.pop("private", False))
    return SendRequest(account=account, recipient=ANA, part=part, message_key="f" * 32, **more)


# ---- public and private answers -----------------------------------------------------------------------


def test_an_answer_stands_below_the_comment(adapter: Any, comments: AccountRef, meta: Meta) -> None:
    name = said(meta)
    sent = adapter.send(request(comments, name))
    assert isinstance(sent, Sent)
    written = meta.box.world.comments[sent.external_id]
    assert (written.text, written.parent_id, written.ours) == ("18 euro", name, True)


def test_a_private_reply_goes_to_its_author_once(adapter: Any, comments: AccountRef, meta: Meta) -> None:
    name = said(meta)
    sent = adapter.send(request(comments, name, private=True))
    assert isinstance(sent, Sent)
    assert meta.box.world.messages[sent.external_id].igsid == ANA
    again = adapter.send(request(comments, name, private=True))
    assert isinstance(again, Rejected)
    assert again.problem.code == "100/2534025"
    assert "privately" in again.problem.sentence


@pytest.mark.parametrize(
    ("case", "private", "sentence"),
    [
        ("gone", False, "no longer"),
        ("gone", True, "no longer"),
        ("hidden", False, "doesn't accept public replies"),
        ("live", False, "doesn't accept public replies"),
        ("ended", True, "privately"),
        ("late", True, "privately"),
    ],
)
def test_what_cannot_be_answered_says_why(
    adapter: Any, comments: AccountRef, meta: Meta, case: str, private: bool, sentence: str
) -> None:
    name = said(meta, **({"post": "live"} if case in {"live", "ended"} else {}))
    comment = meta.box.world.comments[name]
    if case == "gone":
        from sandbox import commenting

        commenting.remove(meta.box, comment)
    elif case == "hidden":
        comment.hidden = True
    elif case == "ended":
        meta.box.world.posts[comment.post_id].ended_at = meta.box.clock.now()
    elif case == "late":
        comment.at -= 8 * 86400
    asked = request(comments, name, private=private)
    if case == "ended":
        about = Post(comment.post_id, PostKind.LIVE, ended_at=clock.now())
        asked = replace(asked, answers=PrivateContext(comments, clock.now(), clock.now(), about))
    refused = adapter.send(asked)
    assert isinstance(refused, Rejected)
    assert sentence in refused.problem.sentence
    assert refused.target_gone is (case == "gone")


@pytest.mark.parametrize(
    "part",
    [
        OutgoingPart(MessageKind.TEXT, "x" * 2201, reply_to="1"),
        OutgoingPart(MessageKind.TEXT, "x" * 1001, reply_to="1", private=True),
        OutgoingPart(MessageKind.TEXT, "x"),
        OutgoingPart(MessageKind.TEXT, " ", reply_to="1"),
        OutgoingPart(MessageKind.STICKER, content={"sticker": "heart"}, reply_to="1"),
    ],
    ids=["long", "long in private", "answers nothing", "empty", "no text"],
)
def test_what_is_no_answer_is_refused_before_meta_is_asked(
    adapter: Any, comments: AccountRef, meta: Meta, part: OutgoingPart
) -> None:
    sent = SendRequest(account=comments, recipient=ANA, part=part, message_key="f" * 32)
    before = len(list(meta.box.ledger.entries(0)))
    assert isinstance(adapter.send(sent), Rejected)
    assert len(list(meta.box.ledger.entries(0))) == before


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ({"action": "error", "code": 613}, NotSent),
        ({"action": "error", "code": 4}, NotSent),
        ({"action": "error", "code": 190, "subcode": 460, "when": "before"}, NotSent),
        ({"action": "reset"}, Unknown),
        ({"action": "error", "code": 2, "when": "after"}, Unknown),
    ],
)
def test_metas_errors_mean_what_they_mean_for_messages(
    adapter: Any, comments: AccountRef, meta: Meta, fault: dict[str, Any], expected: type
) -> None:
    name = said(meta)
    action = fault.pop("action")
    meta.fault("comment", action, **fault)
    assert isinstance(adapter.send(request(comments, name)), expected)


def test_how_many_private_replies_there_may_be_is_what_the_operator_lets_out(
    ig: Addon, adapter: Any, comments: AccountRef
) -> None:
    limits = adapter.capabilities_of(comments).private_replies
    assert (limits.per_hour, limits.uncounted) == (750, {PostKind.LIVE})
    for wanted, told in (("100", 100), ("0", None)):
        settings.provide("instagram", {**ig.defaults, "private_replies_per_hour": wanted})
        assert adapter.capabilities_of(comments).private_replies.per_hour == told
        held = [
            one.amount for one in adapter.limits(request(comments, "1", private=True)) if "private" in one.key
        ]
        assert held == ([] if told is None else [told])


def test_private_replies_are_counted_by_the_hour_and_on_broadcasts_by_the_second(
    adapter: Any, comments: AccountRef
) -> None:
    asked = request(comments, "1", private=True)
    (first, _) = adapter.limits(asked)
    assert (first.amount, first.seconds) == (750, 3600)
    context = PrivateContext(comments, AT, AT, None, {"live": True})
    (live, _) = adapter.limits(request(comments, "1", private=True, answers=context))
    assert (live.amount, live.seconds) == (100, 1)
    assert adapter.limits(request(comments, "1"))[0].seconds == 1


# ---- hiding and deleting ------------------------------------------------------------------------------


def test_a_comment_is_hidden_shown_and_deleted_however_often(
    adapter: Any, comments: AccountRef, meta: Meta
) -> None:
    name = said(meta)
    for wanted, hidden in ((Moderated.HIDDEN, True), (Moderated.SHOWN, False)):
        for _ in range(2):
            asked = ModerateRequest(comments, ANA, name, wanted)
            assert adapter.moderate(asked) == Sent(name)
        assert meta.box.world.comments[name].hidden is hidden
    for _ in range(2):
        assert adapter.moderate(ModerateRequest(comments, ANA, name, Moderated.DELETED)) == Sent(name)
    assert name not in meta.box.world.comments
    assert isinstance(adapter.moderate(ModerateRequest(comments, ANA, name, Moderated.HIDDEN)), Rejected)
    elsewhere = ModerateRequest(comments, ANA, "mention:1:2", Moderated.DELETED)
    assert isinstance(adapter.moderate(elsewhere), Rejected)


# ---- when nobody confirmed it -------------------------------------------------------------------------


def looked(adapter: Any, asked: SendRequest, known: frozenset[str] = frozenset()) -> Any:
    return adapter.search(
        SearchRequest(asked.account, asked.recipient, asked.part, asked.message_key, clock.now(), known)
    )


def test_an_unconfirmed_answer_is_found_below_its_comment(
    adapter: Any, comments: AccountRef, meta: Meta
) -> None:
    asked = request(comments, said(meta))
    assert looked(adapter, asked) == Absent()
    meta.fault("comment", "reset", times=1)
    assert isinstance(adapter.send(asked), Unknown)
    found = looked(adapter, asked)
    assert isinstance(found, Found)
    assert looked(adapter, asked, frozenset({found.external_id})) == Absent()
    meta.box.world.comments[found.external_id].at -= 4000
    assert isinstance(looked(adapter, asked), CannotTell), "the same words at another time"


def test_our_name_beside_another_id_may_be_us_and_is_not_sent_again(
    adapter: Any, comments: AccountRef, meta: Meta, ig: Addon
) -> None:
    asked = request(comments, said(meta))
    found = ig.accounts.credentials(comments.id)
    wanted = SearchRequest(
        asked.account, asked.recipient, asked.part, asked.message_key, clock.now(), frozenset()
    )
    sending = ig.comments.sending

    def looked_at(**author: str) -> Any:
        reply = sending._Reply("7", asked.part.text, clock.now().isoformat(), sending._Author(**author))
        return sending._look((reply,), found, wanted)

    assert isinstance(looked_at(id="1", username="sample.pottery"), CannotTell)
    assert looked_at(id="1", username="ana") == Absent()
    assert isinstance(looked_at(username="sample.pottery"), Found)


def test_an_unconfirmed_private_reply_is_found_in_the_conversation_it_opens(
    adapter: Any, comments: AccountRef, meta: Meta
) -> None:
    asked = request(comments, said(meta), private=True)
    assert looked(adapter, asked) == Absent(), "sent again it cannot arrive twice"
    meta.fault("send", "reset", times=1)
    assert isinstance(adapter.send(asked), Unknown)
    assert isinstance(looked(adapter, asked), Found)
    mentioned = request(comments, "mention:1:2")
    assert isinstance(looked(adapter, mentioned), CannotTell)


# ---- until when ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("days", "post", "content", "state"),
    [
        (6, None, {}, "open"),
        (7, None, {}, "closed"),
        (0, Post("1", PostKind.LIVE), {"live": True}, "open"),
        (0, Post("1", PostKind.LIVE, ended_at=AT), {"live": True}, "closed"),
        (0, None, {"mention": True}, "closed"),
    ],
)
def test_a_comment_is_answered_in_private_for_seven_days(
    adapter: Any, comments: AccountRef, days: int, post: Post | None, content: dict[str, Any], state: str
) -> None:
    found = adapter.private_policy(PrivateContext(comments, AT + timedelta(days=days), AT, post, content))
    assert found.state == state
    assert bool(found.sentence) == (state == "closed")


# ---- posts and mentions -------------------------------------------------------------------------------


def test_a_post_is_told_with_its_words_and_picture(adapter: Any, comments: AccountRef, meta: Meta) -> None:
    found = adapter.fetch_post(comments, "17895000000100129")
    assert isinstance(found, Post)
    assert (found.kind, found.text) == (PostKind.POST, "Post 129 of @sample.pottery #pottery")
    assert found.url.startswith("https://www.instagram.com/p/")
    assert found.picture_url is not None
    assert found.published_at is not None
    gone = adapter.fetch_post(comments, "17895000000199999")
    assert isinstance(gone, NoPost)
    assert (gone.gone, gone.retry) == (True, False)
    meta.fault("media", "error", code=613)
    limited = adapter.fetch_post(comments, POST)
    assert isinstance(limited, NoPost)
    assert limited.retry
    assert not adapter.fetch_post(comments, "mention:1").retry


def test_the_account_lists_its_posts_without_comments(adapter: Any, comments: AccountRef, meta: Meta) -> None:
    first = adapter.recent_posts(comments, "")
    assert isinstance(first, PostPage)
    assert first.posts[1].text == "Post 129 of @sample.pottery #pottery"
    assert all(one.external_id and one.picture_url and one.published_at for one in first.posts)
    assert [one.published_at for one in first.posts] == sorted(
        (one.published_at for one in first.posts), reverse=True
    )
    second = adapter.recent_posts(comments, first.after)
    assert not {one.external_id for one in first.posts} & {one.external_id for one in second.posts}
    seen, page = len(first.posts) + len(second.posts), second
    while page.after:
        page = adapter.recent_posts(comments, page.after)
        seen += len(page.posts)
    assert seen == 130


def test_a_post_is_found_by_its_id_and_its_link(adapter: Any, comments: AccountRef) -> None:
    post = adapter.recent_posts(comments, "").posts[3]
    assert adapter.find_post(comments, post.external_id) == post
    assert adapter.find_post(comments, f"{post.url}?igsh=abc") == post
    for wrong in ("https://www.instagram.com/p/Nothing/", "https://example.com/", "17895000000199999", "me"):
        found = adapter.find_post(comments, wrong)
        assert isinstance(found, ProviderProblem), wrong
        assert found.sentence == "This post wasn't found in this account."


@pytest.mark.parametrize(
    ("code", "sentence", "step"),
    [
        (190, "Instagram no longer accepts this account's sign-in.", "Reconnect the account"),
        (613, "This account has reached Instagram's request limit.", "Wait a few minutes"),
        (200, "Instagram didn't return the posts.", "Try again"),
    ],
)
def test_why_posts_are_not_listed_is_said(
    adapter: Any, comments: AccountRef, meta: Meta, code: int, sentence: str, step: str
) -> None:
    for ask in (lambda: adapter.recent_posts(comments, ""), lambda: adapter.find_post(comments, POST)):
        meta.fault("media", "error", code=code)
        found = ask()
        assert isinstance(found, ProviderProblem)
        assert found.sentence == sentence
        assert found.next_step.startswith(step)
        assert "message" not in found.next_step


def test_a_broadcast_that_ended_says_so(adapter: Any, comments: AccountRef, meta: Meta) -> None:
    live = meta.box.world.comments[said(meta, post="live")].post_id
    found = adapter.fetch_post(comments, live)
    assert (found.kind, found.ended_at) == (PostKind.LIVE, None)
    meta.box.world.posts[live].ended_at = meta.box.clock.now()
    assert adapter.fetch_post(comments, live).gone


@pytest.mark.parametrize("in_comment", [True, False])
def test_a_mention_is_looked_up_and_answered(
    adapter: Any, comments: AccountRef, meta: Meta, in_comment: bool
) -> None:
    name = said(meta, "@sample.pottery, see", kind="mention" if in_comment else "caption_mention")
    media = meta.box.world.comments[name].post_id if in_comment else name
    what = {"media_id": media, **({"comment_id": name} if in_comment else {})}
    (envelope,) = adapter.look_up(comments, what)
    assert (envelope.account_id, envelope.lane) == (comments.id, "@ana.sample")
    (change,) = adapter.parse(envelope)
    assert isinstance(change, MessageReceived)
    assert (change.contact, change.content["mention"], change.opens_window) == ("@ana.sample", True, False)
    assert change.post is not None
    assert change.post.owner == ("glaze.fan.sample" if in_comment else "ana.sample")
    assert "sample.pottery" in change.text
    assert adapter.contact_label(change.contact) == "@ana.sample"
    assert isinstance(adapter.fetch_profile(comments, change.contact), NoProfile)
    assert change.external_id is not None
    sent = adapter.send(request(comments, change.external_id, "Thank you!"))
    assert isinstance(sent, Sent)
    assert meta.box.world.comments[sent.external_id].post_id == media


def test_a_mention_that_is_gone_is_kept_as_ignored_and_one_nobody_can_ask_for_is_tried_again(
    adapter: Any, comments: AccountRef, meta: Meta, ig: Addon
) -> None:
    (gone,) = adapter.look_up(comments, {"media_id": "1", "comment_id": "2"})
    assert gone.ignored
    meta.fault("page", "error", code=2)
    with pytest.raises(ig.graph.GraphError):
        adapter.look_up(comments, {"media_id": "1", "comment_id": "2"})


# ---- history ------------------------------------------------------------------------------------------


def test_recent_comments_are_read_with_what_was_answered(
    adapter: Any, comments: AccountRef, meta: Meta
) -> None:
    first, second = said(meta, "one"), said(meta, "two", customer=KIT)
    ours = adapter.send(request(comments, first, "ours")).external_id
    said(meta, "on air", post="live")
    pages = [adapter.threads(comments, "")]
    pages.append(adapter.threads(comments, pages[0].after))
    assert all(isinstance(page, ThreadPage) for page in pages)
    assert [one.external_id for one in pages[0].threads] == [POST]
    assert len(pages[1].threads) == 1
    assert not pages[1].after
    page = adapter.history(comments, HistoryThread(POST, ""), "")
    told = [one for one in page.changes if not isinstance(one, MessageEdited)]
    assert [(type(one), one.contact, one.external_id) for one in told] == [
        (MessageReceived, ANA, first),
        (MessageEchoed, ANA, ours),
        (MessageReceived, KIT, second),
    ]


def test_comments_without_an_authors_id_are_told_apart_by_name(
    adapter: Any, comments: AccountRef, meta: Meta, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sandbox.graph import comments as nodes

    first = said(meta, "one")
    ours = adapter.send(request(comments, first, "ours")).external_id
    whole = nodes.node

    def nameless(*args: Any) -> dict[str, Any]:
        shown = whole(*args)
        return shown | {"from": {"username": shown["username"]}}

    monkeypatch.setattr(nodes, "node", nameless)
    page = adapter.history(comments, HistoryThread(POST, ""), "")
    told = [one for one in page.changes if not isinstance(one, MessageEdited)]
    assert [(type(one), one.contact, one.external_id) for one in told] == [
        (MessageReceived, "@ana.sample", first),
        (MessageEchoed, "@ana.sample", ours),
    ]
    assert looked(adapter, request(comments, first, "ours")) == Found(ours)


def test_a_comment_that_is_gone_is_taken_back_and_one_that_is_there_is_not(
    adapter: Any, comments: AccountRef, meta: Meta
) -> None:
    from sandbox import commenting

    names = [said(meta, str(number)) for number in range(3)]
    commenting.remove(meta.box, meta.box.world.comments[names[1]])
    known = tuple(KnownMessage(name, ANA, clock.now()) for name in names)
    page = adapter.history(comments, HistoryThread(POST, "", known=known), "")
    assert [one.external_id for one in page.changes if isinstance(one, MessageUnsent)] == [names[1]]
    meta.fault("comment", "error", code=613, match={"method": "GET"})
    assert isinstance(adapter.history(comments, HistoryThread(POST, "", known=known), ""), HistoryTrouble)


def test_a_long_post_is_read_page_by_page(adapter: Any, comments: AccountRef, meta: Meta) -> None:
    for number in range(60):
        said(meta, str(number))
    first = adapter.history(comments, HistoryThread(POST, ""), "")
    assert isinstance(first, HistoryPage)
    rest = adapter.history(comments, HistoryThread(POST, ""), first.after)
    words = [one.text for page in (first, rest) for one in page.changes if isinstance(one, MessageReceived)]
    assert sorted(words, key=int) == [str(number) for number in range(60)]
    assert not rest.after


# ---- without credentials ------------------------------------------------------------------------------


def test_without_credentials_everything_is_an_answer(adapter: Any, comments: AccountRef) -> None:
    stranger = AccountRef(2**40, "0" * 32, 1, "instagram-comments", "unknown", "Sample", "@sample")
    assert isinstance(adapter.send(request(stranger, "1")), Held)
    assert isinstance(adapter.moderate(ModerateRequest(stranger, ANA, "1", Moderated.HIDDEN)), Held)
    assert isinstance(adapter.fetch_post(stranger, "1"), NoPost)
    assert isinstance(adapter.threads(stranger, ""), HistoryTrouble)
    assert isinstance(looked(adapter, request(stranger, "1")), Held)


# ---- what other programs saw Meta send ----------------------------------------------------------------

_FROM = {"id": ANA, "username": "ana.q"}
_MEDIA = {"id": "1", "media_product_type": "FEED"}
PAYLOADS: dict[str, tuple[dict[str, Any], Any]] = {
    "a page's": ({"from": _FROM, "comment_id": "9", "text": "a", "media": _MEDIA}, ("9", ANA, "1")),
    "a login's": ({"from": _FROM, "id": "9", "text": "a", "media": _MEDIA}, ("9", ANA, "1")),
    "an ad's": (
        {"from": _FROM, "id": "9", "text": "a", "media": {"id": "5", "ad_id": "6", "original_media_id": "1"}},
        ("9", ANA, "1"),
    ),
    "numbers for ids": (
        {"from": {"id": int(ANA)}, "id": 9, "text": "a", "media": {"id": 1}},
        ("9", ANA, "1"),
    ),
    "no text": ({"from": _FROM, "id": "9", "media": _MEDIA}, ("9", ANA, "1")),
    "no post": ({"from": _FROM, "id": "9", "text": "a"}, ("9", ANA, None)),
    "no author": ({"id": "9", "text": "a", "media": _MEDIA}, "names no customer"),
    "no id": ({"from": _FROM, "text": "a", "media": _MEDIA}, (None, ANA, None)),
    "no id and nothing to show": ({"from": _FROM, "media": _MEDIA}, "names no comment"),
    "ours": ({"from": {"id": POTTERY}, "id": "9", "text": "a", "media": _MEDIA}, "our own"),
    "a customer's of our name, by its id": (
        {"from": {"id": ANA, "username": "sample.pottery"}, "id": "9", "text": "a", "media": _MEDIA},
        ("9", ANA, "1"),
    ),
    "a customer's with a scoped id": (
        {"from": {**_FROM, "self_ig_scoped_id": "2"}, "id": "9", "text": "a", "media": _MEDIA},
        ("9", ANA, "1"),
    ),
    "a customer's without an id": (
        {"from": {"username": "ana.q", "self_ig_scoped_id": "2"}, "id": "9", "text": "a", "media": _MEDIA},
        ("9", "@ana.q", "1"),
    ),
    "ours without an id": (
        {"from": {"username": "Sample.Pottery"}, "id": "9", "text": "a", "media": _MEDIA},
        "our own",
    ),
    "nothing": ({}, "names no comment"),
    "a list": ([1], "names no comment"),  # type: ignore[dict-item]
}


@pytest.mark.parametrize("name", PAYLOADS)
def test_payloads_of_other_projects(ig: Addon, name: str) -> None:
    value, expected = PAYLOADS[name]
    event = {"field": "comments", "value": value}
    found = ig.comments.events.parse(world.envelope(event, container="changes", name="sample.pottery"))
    if isinstance(expected, str):
        assert expected in found[0].reason
        return
    change = found[0]
    post = change.post.external_id if change.post is not None else None
    assert (change.external_id, change.contact, post) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"media_id": "17", "comment_id": "18"}, {"media_id": "17", "comment_id": "18"}),
        ({"media_id": "17"}, {"media_id": "17"}),
        ({"comment_id": "18"}, None),
        ({"media_id": "1){id}"}, None),
        ({}, None),
    ],
)
def test_mentions_are_to_be_looked_up(ig: Addon, value: dict[str, Any], expected: Any) -> None:
    (found,) = ig.comments.events.parse(
        world.envelope({"field": "mentions", "value": value}, container="changes")
    )
    assert found == ToLookUp(expected) if expected else isinstance(found, Ignored)


def test_the_flat_form_and_duplicates_are_one_event(comments: AccountRef, ig: Addon) -> None:
    value = {"id": "9", "from": _FROM, "text": "a", "media": _MEDIA}
    flat = world.payload({"id": POTTERY, "time": 1760000001, "field": "comments", "value": value})
    boosted = {**value, "media": {"id": "5", "ad_id": "6", "original_media_id": "1"}}
    changed = {**value, "text": "b"}
    wrapped = [
        world.payload({"id": POTTERY, "time": 1, "changes": [{"field": "comments", "value": one}]})
        for one in (value, boosted, changed)
    ]
    keys = []
    for body in (flat, *wrapped):
        (envelope,) = ig.webhook.verification.authenticate(world.post(body)).envelopes
        assert (envelope.account_id, envelope.lane, envelope.channel) == (comments.id, ANA, comments.channel)
        keys.append(envelope.dedupe_key)
    assert len(set(keys[:3])) == 1
    assert keys[3] != keys[0], "an edited text is another event"
