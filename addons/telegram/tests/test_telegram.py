"""Telegram from end to end: what people write reaches the inbox, what the team answers reaches them."""

from __future__ import annotations

import html
from collections.abc import Callable
from datetime import timedelta
from io import BytesIO
from typing import Any

import pytest
from PIL import Image

from host.authoring.desk import RefusedByCardError, TrialDesk
from host.core.errors import LobbyError
from host.sdk import clock
from host.sdk.cards import Verdict
from host.sdk.channel import AccountRef, Profile, ReactRequest, SendRequest
from host.sdk.messages import MessageKind, OutgoingPart

BOT = 8123456789
TOKEN = f"{BOT}:AAE-sample_token_of_the_stand_in_0001"
NewCustomer = Callable[[], Any]
SOME_SECONDS = timedelta(seconds=6)
"""Telegram takes one message a second for a chat."""


def picture(kind: str = "JPEG", size: tuple[int, int] = (40, 30)) -> bytes:
    file = BytesIO()
    Image.new("RGB", size, "teal").save(file, kind)
    return file.getvalue()


PDF = b"%PDF-1.4\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\n%%EOF\n"


def now() -> int:
    """Return the time as Telegram writes it."""
    return int(clock.now().timestamp())


# Connecting


def test_connecting_tells_telegram_where_to_deliver_and_with_which_secret(
    account: AccountRef, telegram: Any
) -> None:
    assert (account.external_id, account.handle, account.name) == (
        str(BOT),
        "@sample_pottery_bot",
        "Sample Pottery",
    )
    assert telegram.webhook["url"] == f"https://desk.example.com/webhooks/telegram/{BOT}"
    assert telegram.webhook["allowed_updates"] == ["message", "edited_message"]
    assert len(telegram.webhook["secret_token"]) >= 32


@pytest.mark.parametrize(
    ("token", "why"),
    [
        ("", "is required"),
        ("AAE-sample", "looks like 123456789:AAE"),
        (f"{BOT}:AAE-another_token_nobody_knows_of_0002", "recognize this token"),
    ],
)
def test_a_token_that_cannot_be_used_is_named_beside_its_field(
    desk: TrialDesk, account: AccountRef, token: str, why: str
) -> None:
    with pytest.raises(RefusedByCardError) as refused:
        desk.connect("telegram", {"token": token})
    assert why in refused.value.problems["token"]


def test_a_telegram_that_refuses_or_is_silent_connects_nothing(
    desk: TrialDesk, account: AccountRef, telegram: Any
) -> None:
    telegram.refuse["setWebhook"] = [(400, "Bad Request: bad webhook: Failed to resolve host", {})]
    with pytest.raises(RefusedByCardError, match="Failed to resolve host"):
        desk.connect("telegram", {"token": TOKEN})
    telegram.refuse["getMe"] = [None]
    with pytest.raises(RefusedByCardError, match="can't be reached") as silent:
        desk.connect("telegram", {"token": TOKEN})
    assert TOKEN not in str(silent.value)


def test_changing_a_bot_without_its_token_makes_a_new_secret(
    desk: TrialDesk, account: AccountRef, telegram: Any, customer: NewCustomer
) -> None:
    before = telegram.webhook["secret_token"]
    again = desk.connect("telegram", {}, account=account)
    assert again.id == account.id
    assert telegram.webhook["secret_token"] != before
    ann = customer()
    assert ann.deliver(ann.update_of(text="old secret"), secret=before) == 401
    ann.writes(text="new secret")
    assert [each.text for each in ann.thread] == ["new secret"]


def test_the_card_and_the_diagnosis_show_no_credential(
    desk: TrialDesk, account: AccountRef, telegram: Any
) -> None:
    channels = f"/w/{desk.workspace_id}/settings/channels"
    page = desk.get(channels).text
    assert "@sample_pottery_bot" in page
    assert TOKEN.partition(":")[2] not in page
    settings = desk.get(f"{channels}/accounts/{account.id}").text
    assert "t.me/sample_pottery_bot" in settings
    assert TOKEN.partition(":")[2] not in settings
    card = desk.application.generation().directory.card("telegram")
    assert card is not None
    assert card.diagnose is not None
    assert {one.verdict for one in card.diagnose(account)} == {Verdict.PASS}
    telegram.pending, telegram.trouble = 3, "Connection timed out"
    told = telegram.webhook
    telegram.webhook = {**told, "url": "https://elsewhere.example/"}
    failed = {one.name: one.evidence for one in card.diagnose(account) if one.verdict is Verdict.FAIL}
    assert failed == {
        "webhook": "https://elsewhere.example/",
        "deliveries": "3 waiting. Connection timed out",
    }
    telegram.pending, telegram.trouble, telegram.webhook = 0, "", told
    telegram.refuse["getMe"] = [(401, "Unauthorized", {})]
    assert [one.verdict for one in card.diagnose(account)] == [Verdict.FAIL]
    assert "Telegram no longer accepts the bot's token." in html.unescape(desk.get(channels).text)
    desk.connect("telegram", {"token": TOKEN})


# Requests


def test_only_what_carries_the_secret_of_this_bot_is_believed(customer: NewCustomer) -> None:
    eve = customer()
    for secret in ("", "guessed", "é"):
        assert eve.deliver(eve.update_of(text="Believe me"), secret=secret) == 401
    assert eve.deliver(eve.update_of(text="Believe me"), bot=1) == 401
    eve.desk.work()
    assert eve.thread == []


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"update_id":"x"}', b"\xff"])
def test_what_is_no_update_is_kept_aside_and_answered(customer: NewCustomer, body: bytes) -> None:
    assert customer().deliver(body) == (411 if not body else 200)


def test_a_redelivery_is_the_same_message(customer: NewCustomer) -> None:
    ann = customer()
    update = ann.update_of(text="Once")
    assert [ann.deliver(update), ann.deliver(update)] == [200, 200]
    ann.desk.work()
    assert [each.text for each in ann.thread] == ["Once"]


def test_groups_channels_and_other_bots_are_not_conversations(customer: NewCustomer) -> None:
    group, bot = customer(), customer()
    group.writes(text="Hi all", chat={"id": group.chat, "type": "supergroup"})
    bot.writes(text="Beep", **{"from": {"id": bot.chat, "is_bot": True, "first_name": "Robot"}})
    assert (group.thread, bot.thread) == ([], [])


# What people write


def test_a_text_with_its_sender_and_quote(customer: NewCustomer) -> None:
    ann = customer()
    ann.writes(text="Do you have mugs? ☕")
    ann.writes(text="The blue ones", reply_to_message={"message_id": 1, "date": 1})
    first, second = ann.thread
    assert (first.kind, first.text, first.external_id) == ("text", "Do you have mugs? ☕", f"{ann.chat}:1")
    assert second.reply_to == first.external_id
    inbox = ann.desk.get(f"/w/{ann.desk.workspace_id}/inbox").text
    assert "Ann" in inbox


@pytest.mark.parametrize(
    ("said", "kind", "data", "name"),
    [
        ({"photo": [{"file_id": "small"}, {"file_id": "F1"}], "caption": "Broken"}, "image", picture(), ""),
        (
            {"document": {"file_id": "F1", "file_name": "order.pdf", "mime_type": "application/pdf"}},
            "file",
            PDF,
            "order.pdf",
        ),
        ({"voice": {"file_id": "F1", "mime_type": "audio/ogg"}}, "audio", b"OggS" + bytes(60), ""),
        ({"sticker": {"file_id": "F1", "is_animated": False}}, "sticker", picture("WEBP"), ""),
    ],
)
def test_files_reach_the_desk_and_their_address_is_kept_nowhere(
    customer: NewCustomer, telegram: Any, said: dict[str, Any], kind: str, data: bytes, name: str
) -> None:
    ann = customer()
    telegram.files["F1"] = data
    ann.writes(**said)
    (message,) = ann.thread
    (file,) = message.files
    assert (message.kind, message.text, file.name) == (kind, said.get("caption", ""), name)
    assert file.state == "stored"
    assert ann.desk.file(file) == data
    database = (ann.desk.application.config.data / "lobby.sqlite3").read_bytes()
    assert TOKEN.encode() not in database


def test_a_file_telegram_no_longer_has_is_a_placeholder(customer: NewCustomer) -> None:
    ann = customer()
    ann.writes(photo=[{"file_id": "nowhere"}])
    assert ann.thread[0].files[0].state == "expired"


@pytest.mark.parametrize(
    ("said", "event"),
    [
        ({"video": {"file_id": "F2", "file_size": 30 * 1024 * 1024}}, "video over 20 MB"),
        ({"location": {"latitude": 1.0, "longitude": 2.0}}, "location"),
        ({"sticker": {"file_id": "F3", "is_animated": True}}, "animated sticker"),
        ({}, "message"),
    ],
)
def test_what_cannot_be_shown_is_a_row_that_says_so(
    customer: NewCustomer, said: dict[str, Any], event: str
) -> None:
    ann = customer()
    ann.writes(**said)
    assert (ann.thread[0].kind, ann.thread[0].content["event"]) == ("unsupported", event)


def test_edits_replace_the_text_of_texts_and_captions(customer: NewCustomer, telegram: Any) -> None:
    ann = customer()
    telegram.files["F4"] = picture()
    ann.writes(text="Tow mugs")
    ann.writes("edited_message", text="Two mugs", edit_date=now())
    ann.writes(photo=[{"file_id": "F4"}], caption="Thsi")
    ann.writes("edited_message", caption="This", edit_date=now())
    assert [(each.text, each.edited) for each in ann.thread] == [("Two mugs", True), ("This", True)]
    assert ann.thread[1].files[0].state == "stored"


# What the team answers


def test_text_pictures_and_files_reach_the_customer(customer: NewCustomer, telegram: Any) -> None:
    ann = customer()
    ann.writes(text="Which?")
    ann.desk.reply(
        str(ann.chat), "These.", files=[("a.jpg", picture()), ("b.png", picture("PNG")), ("l.pdf", PDF)]
    )
    ann.desk.work()
    ann.desk.later(SOME_SECONDS)
    sent = telegram.sent[-4:]
    assert [(method, fields.get("file_field")) for method, fields, _data in sent] == [
        ("sendPhoto", "photo"),
        ("sendPhoto", "photo"),
        ("sendDocument", "document"),
        ("sendMessage", None),
    ]
    assert sent[2][2] == PDF
    assert sent[3][1] == {"chat_id": str(ann.chat), "text": "These."}
    ours = [each for each in ann.thread if each.direction == "outbound"]
    assert [each.state for each in ours] == ["sent"] * 4
    assert all(each.external_id.startswith(f"{ann.chat}:") for each in ours)


def test_a_quote_goes_along_with_texts_and_with_files(customer: NewCustomer, telegram: Any) -> None:
    ann = customer()
    ann.writes(text="This one?")
    ann.desk.reply(str(ann.chat), "Yes", quote=ann.thread[0].id)
    ann.desk.reply(str(ann.chat), files=[("a.jpg", picture())], quote=ann.thread[0].id)
    ann.desk.work()
    ann.desk.later(SOME_SECONDS)
    wanted = {"message_id": 1, "allow_sending_without_reply": True}
    assert [fields["reply_parameters"] for _method, fields, _data in telegram.sent[-2:]] == [wanted, wanted]


def test_a_long_text_is_split_within_what_telegram_takes(customer: NewCustomer, telegram: Any) -> None:
    ann = customer()
    ann.writes(text="Tell me all")
    before = len(telegram.sent)
    ann.desk.reply(str(ann.chat), "Ünd so weiter. " * 400)
    ann.desk.work()
    ann.desk.later(SOME_SECONDS)
    texts = [fields["text"] for _method, fields, _data in telegram.sent[before:]]
    assert len(texts) > 1
    assert " ".join(texts).split() == ("Ünd so weiter. " * 400).split()


def test_a_picture_telegram_takes_for_no_photo_goes_as_a_document(
    customer: NewCustomer, telegram: Any
) -> None:
    ann = customer()
    ann.writes(text="Panorama?")
    telegram.refuse["sendPhoto"] = [(400, "Bad Request: PHOTO_INVALID_DIMENSIONS", {})]
    ann.desk.reply(str(ann.chat), files=[("wide.jpg", picture(size=(400, 10)))])
    ann.desk.work()
    ann.desk.later(SOME_SECONDS)
    assert telegram.sent[-1][0] == "sendDocument"
    assert ann.thread[-1].state == "sent"


@pytest.mark.parametrize(
    ("answer", "state", "words"),
    [
        ((400, "Bad Request: message text is empty", {}), "failed", "rejected this message"),
        ((403, "Forbidden: bot was blocked by the user", {}), "failed", "blocked the bot"),
        ((400, "Bad Request: chat not found", {}), "failed", "deleted their account"),
        ((500, "Internal Server Error", {}), "unknown", "may still have arrived"),
        (None, "unknown", "didn't respond"),
        ((401, "Unauthorized", {}), "queued", ""),
    ],
)
def test_what_becomes_of_a_message_telegram_does_not_take(
    customer: NewCustomer, telegram: Any, answer: Any, state: str, words: str
) -> None:
    ann = customer()
    ann.writes(text="Hello?")
    telegram.refuse["sendMessage"] = [answer]
    ann.desk.reply(str(ann.chat), "Hello!")
    ann.desk.work()
    message = ann.thread[-1]
    assert message.state == state
    assert words in message.error
    assert TOKEN not in str(message)


def test_who_blocked_the_bot_is_written_to_again_once_they_write(
    customer: NewCustomer, telegram: Any
) -> None:
    ann = customer()
    ann.writes(text="Hello?")
    telegram.refuse["sendMessage"] = [(403, "Forbidden: bot was blocked by the user", {})]
    ann.desk.reply(str(ann.chat), "Hello!")
    ann.desk.work()
    with pytest.raises(LobbyError, match="blocked the bot"):
        ann.desk.reply(str(ann.chat), "Are you there?")
    ann.writes(text="Back again", date=now() + 2)
    ann.desk.reply(str(ann.chat), "Welcome back")
    ann.desk.later(SOME_SECONDS)
    assert {each.text: each.state for each in ann.thread}["Welcome back"] == "sent"


def test_a_message_that_has_to_wait_goes_out_when_telegram_said(customer: NewCustomer, telegram: Any) -> None:
    ann = customer()
    ann.writes(text="Hello?")
    telegram.refuse["sendMessage"] = [(429, "Too Many Requests: retry after 30", {"retry_after": 30})]
    ann.desk.reply(str(ann.chat), "Hello!")
    ann.desk.work()
    assert ann.thread[-1].state == "queued"
    ann.desk.later(timedelta(seconds=25))
    assert ann.thread[-1].state == "queued"
    ann.desk.later(timedelta(seconds=60))
    assert ann.thread[-1].state == "sent"


def test_typing_and_profiles(desk: TrialDesk, account: AccountRef, telegram: Any) -> None:
    adapter = desk.adapter("telegram")
    adapter.show_typing(account, "501", True)
    adapter.show_typing(account, "501", False)
    assert telegram.actions == [{"chat_id": "501", "action": "typing"}]
    assert adapter.fetch_profile(account, "501") == Profile("Ann Lee", "annlee")
    nobody = adapter.fetch_profile(account, "999")
    assert getattr(nobody, "retry", None) is False
    assert adapter.profile_url("annlee") == "https://t.me/annlee"


# At last: the bot is connected no more afterwards


def test_a_token_that_was_replaced_makes_the_replies_wait(
    customer: NewCustomer, telegram: Any, desk: TrialDesk, account: AccountRef
) -> None:
    ann = customer()
    ann.writes(text="Still there?")
    telegram.token = f"{BOT}:AAE-replaced_at_botfather_0000000001"
    desk.reply(str(ann.chat), "Yes")
    desk.work()
    assert ann.thread[-1].state == "queued"
    desk.connect("telegram", {"token": telegram.token}, account=account)
    desk.later(timedelta(minutes=1))
    assert ann.thread[-1].state == "sent"


def test_disconnecting_takes_the_webhook_back(
    desk: TrialDesk, account: AccountRef, telegram: Any, customer: NewCustomer
) -> None:
    secret = telegram.webhook["secret_token"]
    desk.disconnect(account)
    assert telegram.webhook == {}
    ann = customer()
    late = ann.update_of(text="Late")
    assert ann.deliver(late, secret=secret) == 401
    assert desk.connect("telegram", {"token": telegram.token}) == account
    assert ann.deliver(late) == 200


# How fast a bot sends: what Telegram allows, and what is more in its turn


@pytest.mark.slow
def test_a_bot_sends_thirty_messages_a_second_and_one_to_each_chat(
    desk: TrialDesk, customer: NewCustomer, telegram: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.later(SOME_SECONDS)  # what others sent counts no more
    everybody = [customer() for _ in range(32)]
    for one in everybody:
        assert one.deliver(one.update_of(text="Hello?")) == 200
    desk.work()
    before = len(telegram.sent)
    for one in everybody:
        desk.reply(str(one.chat), "First")
    desk.reply(str(everybody[0].chat), "Second")
    stopped = clock.now()
    with monkeypatch.context() as patch:
        patch.setattr("host.core.clock.now", lambda: stopped)
        desk.work()
    assert [fields["text"] for _method, fields, _data in telegram.sent[before:]] == ["First"] * 30
    desk.later(SOME_SECONDS)
    texts = [fields["text"] for _method, fields, _data in telegram.sent[before:]]
    assert sorted(texts) == ["First"] * 32 + ["Second"]
    assert all(message.state == "sent" for one in everybody for message in one.thread if message.state)


def test_what_a_message_counts_against(desk: TrialDesk, account: AccountRef) -> None:
    adapter = desk.adapter("telegram")

    def limits(chat: str) -> dict[str, tuple[int, int]]:
        part = OutgoingPart(MessageKind.TEXT, "Hello")
        found = adapter.limits(SendRequest(account, chat, part, "f" * 32))
        return {one.key.split()[0]: (one.amount, one.seconds) for one in found}

    assert limits("501") == {"bot": (30, 1), "chat": (1, 1)}
    assert limits("-100501") == {"bot": (30, 1), "chat": (1, 1), "group": (20, 60)}
    assert adapter.limits(ReactRequest(account, "501", "501:7", "👍")) == []
