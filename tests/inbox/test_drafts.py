"""What somebody sends at once: which messages it becomes, in which order, and that it is all or nothing."""

from __future__ import annotations

import io
import uuid
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from host.core import storage
from host.core.backports.values import replace
from host.core.errors import LobbyError
from host.inbox import errors
from host.inbox.drafts import Draft
from host.inbox.reply import queue_parts
from host.media import uploads
from host.media.limits import FileRefusedError
from host.models.inbox import Attachment, Conversation, Message
from host.models.queue import OutboxEntry
from host.sdk.channel import AccountRef, CaptionLimits
from host.sdk.messages import MessageKind
from tests.helpers import do
from tests.inbox import toys
from tests.inbox.toys import RICH, START, WINDOWED, apply, received
from tests.media import samples

KEY = "0123456789abcdef"
TEXT, IMAGE, FILE = MessageKind.TEXT, MessageKind.IMAGE, MessageKind.FILE


@pytest.fixture
def conversation(account: AccountRef, tmp_path: Path) -> Conversation:
    storage.use(storage.FolderStore(tmp_path / "attachments"))
    apply(account, received("Is it in stock?", external_id="question"))
    found = toys.only(Conversation)
    assert isinstance(found, Conversation)
    return found


@pytest.fixture
def send(conversation: Conversation, mia: int) -> Any:
    def run(*drafts: Draft, **values: Any) -> list[Message]:
        values.setdefault("reply_key", KEY)
        values.setdefault("adapter", RICH)
        values.setdefault("now", START + timedelta(minutes=5))
        values.setdefault("actor", mia)
        return do(queue_parts, conversation.workspace_id, conversation.id, drafts, **values)

    return run


@pytest.fixture
def upload(conversation: Conversation) -> Any:
    def run(content: bytes = samples.PDF, name: str = "list.pdf", workspace: int | None = None) -> str:
        return uploads.keep_upload(
            io.BytesIO(content), name, workspace_id=workspace or conversation.workspace_id, user_id=None
        ).id

    return run


@pytest.fixture
def pictures(upload: Any) -> Any:
    def run(count: int) -> list[str]:
        return [
            upload(samples.picture("PNG", size=(8 + number, 8)), f"{number}.png") for number in range(count)
        ]

    return run


def kinds(messages: list[Message]) -> list[str]:
    return [message.kind for message in messages]


def files_of(message: Message) -> list[str]:
    return [row.name for row in toys.everything(Attachment) if row.message_id == message.id]


def code_of(send: Any, *drafts: Draft, **values: Any) -> str:
    """Return the code *drafts* are refused with, having seen that nothing was written."""
    with pytest.raises(LobbyError) as caught:
        send(*drafts, **values)
    assert toys.everything(OutboxEntry) == []
    assert toys.everything(Attachment) == []
    return str(caught.value.code)


def test_files_go_before_the_text_each_a_message_of_its_own(send: Any, upload: Any, pictures: Any) -> None:
    two = pictures(2)
    pdf, sound, third = upload(), upload(samples.WAV, "a.wav"), pictures(1)[0]
    messages = send(Draft(text="All of it", uploads=(*two, pdf, sound, third)))
    assert kinds(messages) == ["image", "file", "audio", "image", "text"]
    assert [message.position for message in messages] == [0, 1, 2, 3, 4]
    assert [files_of(message) for message in messages] == [
        ["0.png", "1.png"],
        ["list.pdf"],
        ["a.wav"],
        ["0.png"],
        [],
    ]
    assert {message.state for message in messages} == {"queued"}
    assert [entry.message_id for entry in toys.everything(OutboxEntry)] == [one.id for one in messages]
    after = toys.only(Conversation)
    assert (after.last_kind, after.last_preview) == ("text", "All of it")


def test_more_pictures_than_one_message_takes_are_several(send: Any, pictures: Any) -> None:
    messages = send(Draft(IMAGE, uploads=tuple(pictures(7))))
    assert [len(files_of(message)) for message in messages] == [3, 3, 1]
    assert kinds(messages) == ["image"] * 3


def test_a_long_text_with_quick_replies_offers_them_below_the_last_part(send: Any) -> None:
    offered = {"quick_replies": [{"title": "Red"}]}
    messages = send(Draft(text="word " * 300, content=offered))
    assert [bool(message.content) for message in messages] == [False, True]


def test_each_kind_is_a_message_with_what_it_is_made_of(send: Any) -> None:
    card = {"title": "A lamp", "subtitle": "Brass"}
    messages = send(
        Draft(MessageKind.TEMPLATE, content={"template": {"elements": [card]}}),
        Draft(MessageKind.TEMPLATE, content={"products": ["17"]}),
        Draft(MessageKind.SHARE, content={"own_post": "18"}),
        Draft(MessageKind.STICKER),
    )
    assert kinds(messages) == ["template", "template", "share", "sticker"]
    assert [message.content for message in messages] == [
        {"template": {"elements": [card]}},
        {"products": ["17"]},
        {"own_post": "18"},
        {"sticker": "heart"},
    ]
    assert messages[3].text == "\u2764\ufe0f"


def test_the_list_shows_the_first_card_of_a_carousel(send: Any) -> None:
    send(
        Draft(
            MessageKind.TEMPLATE,
            content={"template": {"elements": [{"title": "A lamp", "url": "https://a.example/"}]}},
        )
    )
    assert toys.only(Conversation).last_preview == "A lamp"


def test_a_quote_stands_at_the_text_or_at_the_first_file(
    send: Any, upload: Any, conversation: Conversation
) -> None:
    question = toys.only(Message).id
    messages = send(Draft(text="Yes", uploads=(upload(),), reply_to=question))
    assert [message.reply_to for message in messages] == [None, "question"]
    messages = send(
        Draft(uploads=(upload(), upload(samples.WAV, "a.wav")), reply_to=question), reply_key="k" * 16
    )
    assert [message.reply_to for message in messages] == ["question", None]


def test_a_text_is_the_caption_of_the_last_file_that_can_have_one(
    send: Any, upload: Any, pictures: Any
) -> None:
    class Captions(toys.Rich):
        capabilities = replace(
            toys.Rich.capabilities,
            captions=CaptionLimits(10, frozenset({IMAGE, FILE}), frozenset({"image/jpeg"})),
        )

    question, adapter = toys.only(Message).id, Captions()

    def sent(text: str, *files: str, **content: Any) -> list[tuple[str, str, str | None]]:
        draft = Draft(text=text, uploads=files, reply_to=question, content=content)
        messages = send(draft, adapter=adapter, reply_key=uuid.uuid4().hex)
        return [(str(one.kind), one.text, one.reply_to) for one in messages]

    sound = partial(upload, samples.WAV, "a.wav")
    assert sent("Blue", upload(), *pictures(1), sound()) == [
        ("file", "", None),
        ("image", "Blue", "question"),
        ("audio", "", None),
    ]
    assert sent("Blue", sound()) == [("audio", "", None), ("text", "Blue", "question")]
    photo = upload(samples.picture("JPEG"), "a.jpg")
    assert sent("Blue", photo) == [("image", "", None), ("text", "Blue", "question")]
    offered = [{"title": "Yes"}]
    assert sent("Blue?", upload(), quick_replies=offered) == [
        ("file", "", None),
        ("text", "Blue?", "question"),
    ]
    for overflow in ("split", "truncate", "reject"):
        with pytest.raises(errors.TooLongError, match="has 11 bytes; below a file it can have 10") as caught:
            send(Draft(text="x" * 11, uploads=(upload(),)), adapter=adapter, overflow=overflow)
        assert (caught.value.field, caught.value.limit) == ("text", 10)


def test_what_cannot_be_quoted_is_refused(send: Any, account: AccountRef, mia: int) -> None:
    question = toys.only(Message)
    assert code_of(send, Draft(text="a", reply_to=10**9)) == "message_not_found"
    apply(account, received("Other", contact="bo"))
    other = next(one for one in toys.everything(Message) if one.text == "Other")
    assert code_of(send, Draft(text="a", reply_to=other.id)) == "message_not_found"
    apply(account, received("No id", external_id=None, at=1))
    nameless = next(one for one in toys.everything(Message) if one.text == "No id")
    assert code_of(send, Draft(text="a", reply_to=nameless.id)) == "quote_unknown"
    toys.change_row(Message, question.id, unsent_at=START)
    assert code_of(send, Draft(text="a", reply_to=question.id)) == "quote_unknown"
    assert code_of(send, Draft(text="a", reply_to=nameless.id), adapter=WINDOWED) == "quote_not_supported"


def test_a_message_not_sent_yet_cannot_be_quoted(send: Any) -> None:
    (first,) = send(Draft(text="One"))
    with pytest.raises(LobbyError) as caught:
        send(Draft(text="Two", reply_to=first.id), reply_key="k" * 16)
    assert caught.value.code == "quote_unknown"


@pytest.mark.parametrize(
    ("draft", "code"),
    [
        (Draft(), "empty"),
        (Draft(text=" \r\n "), "empty"),
        (Draft(IMAGE), "file_missing"),
        (Draft(uploads=("nobody-knows",)), "upload_gone"),
        (Draft(MessageKind.STICKER, text="and text"), "text_with_kind"),
        (Draft(content={"quick_replies": [{"title": "Red"}]}), "quick_replies_need_text"),
        (Draft(text="x" * 20_001), "too_long"),
        (Draft(MessageKind.POSTBACK), "kind_not_supported"),
        (Draft(uploads=tuple(str(n) for n in range(51))), "too_many_files"),
        (
            Draft(
                MessageKind.TEMPLATE, content={"template": {"elements": [{"title": "x", "upload": "gone"}]}}
            ),
            "upload_gone",
        ),
    ],
)
def test_nothing_is_written_of_what_cannot_be_sent(send: Any, draft: Draft, code: str) -> None:
    assert code_of(send, Draft(text="before"), draft) == code if code != "empty" else True
    assert code_of(send, draft) == code


def test_files_the_channel_does_not_take_are_refused_with_its_limit(
    send: Any, upload: Any, pictures: Any
) -> None:
    assert code_of(send, Draft(uploads=(upload(samples.AAC, "a.aac"),))) == "type_not_allowed"
    assert code_of(send, Draft(uploads=tuple(pictures(1))), adapter=WINDOWED) == "kind_not_allowed"
    big = upload(samples.PDF + b"\0" * (4 * 1024 * 1024))
    with pytest.raises(FileRefusedError, match="4 MB"):
        send(Draft(uploads=(big,)))
    assert code_of(send, Draft(FILE, uploads=tuple(pictures(1)))) == "other_kind"
    one = upload()
    assert code_of(send, Draft(uploads=(one, one))) == "file_twice"


def test_a_file_of_another_workspace_is_none(send: Any, upload: Any) -> None:
    theirs = upload(workspace=toys.make_workspace("Other"))
    assert code_of(send, Draft(uploads=(theirs,))) == "upload_gone"


def test_a_file_goes_into_one_message_only(send: Any, upload: Any) -> None:
    one = upload()
    send(Draft(uploads=(one,)))
    with pytest.raises(FileRefusedError) as caught:
        send(Draft(uploads=(one,)), reply_key="k" * 16)
    assert caught.value.code == "upload_gone"
    assert len(toys.everything(OutboxEntry)) == 1


def test_the_same_key_again_makes_nothing_new(send: Any, upload: Any, pictures: Any) -> None:
    card = {"title": "A lamp", "buttons": [{"title": "Ask"}]}
    drafts = (
        Draft(
            text="word " * 300,
            uploads=(*pictures(4), upload()),
            content={"quick_replies": [{"title": "Red"}]},
        ),
        Draft(MessageKind.TEMPLATE, content={"template": {"elements": [card]}}),
    )
    first, again = send(*drafts), send(*drafts)
    assert [one.id for one in first] == [one.id for one in again]
    assert len(toys.everything(OutboxEntry)) == len(first) == 6


def test_the_same_bytes_uploaded_again_under_the_same_key_are_the_same(send: Any, upload: Any) -> None:
    first = send(Draft(uploads=(upload(),)))
    assert [one.id for one in send(Draft(uploads=(upload(),)))] == [first[0].id]


def test_the_same_key_for_something_else_is_refused(send: Any, upload: Any, pictures: Any) -> None:
    question = toys.only(Message).id
    send(Draft(text="Yes", uploads=(upload(),)))
    for other in (
        Draft(text="Yes"),
        Draft(text="No", uploads=(upload(),)),
        Draft(text="Yes", uploads=tuple(pictures(1))),
        Draft(text="Yes", uploads=(upload(samples.PDF + b"\n"),)),
        Draft(text="Yes", uploads=(upload(),), reply_to=question),
        Draft(text="Yes", uploads=(upload(),), content={"quick_replies": [{"title": "Red"}]}),
    ):
        with pytest.raises(errors.AlreadySentError):
            send(other)
    assert len(toys.everything(OutboxEntry)) == 2


def test_the_window_holds_for_every_kind(send: Any, upload: Any) -> None:
    late = START + timedelta(days=8)
    assert code_of(send, Draft(uploads=(upload(),)), now=late) == "window_closed"
    assert code_of(send, Draft(MessageKind.STICKER), now=late) == "window_closed"
    card = {"template": {"elements": [{"title": "A lamp", "subtitle": "Brass"}]}}
    assert code_of(send, Draft(MessageKind.TEMPLATE, content=card), now=late) == "window_closed"


def test_only_people_may_write_late(send: Any) -> None:
    late = START + timedelta(days=2)
    assert code_of(send, Draft(text="a"), now=late, by_person=False, actor=None) == "people_only"
    (message,) = send(Draft(text="a"), now=late)
    assert message.origin == "agent"


def test_a_program_is_told_apart_from_a_person(send: Any) -> None:
    (message,) = send(Draft(text="a"), by_person=False, actor=None)
    assert (message.origin, message.author_id) == ("system", None)


def test_a_text_too_long_for_one_message_can_be_refused_with_the_limit(send: Any) -> None:
    with pytest.raises(errors.TooLongError, match="1000"):
        send(Draft(text="ä" * 501), overflow="reject")
    assert toys.everything(OutboxEntry) == []


def test_without_the_addon_nothing_is_sent(send: Any) -> None:
    assert code_of(send, Draft(text="a"), adapter=None) == "unknown_channel"
