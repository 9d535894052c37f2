"""Messages made of files: what the adapter gets, Retry, a worker that dies, files that are gone, echoes.

An echo of what has no words is known by kind and number, never doubled, never taken for somebody else's.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from host.core import clock, db, storage
from host.delivery import agent_messages
from host.inbox.apply.changes import Incoming, apply_changes
from host.inbox.apply.incoming import media_of
from host.inbox.drafts import Draft
from host.inbox.reply import queue_parts
from host.inbox.unsent import resending
from host.media import uploads
from host.models.inbox import Attachment, DeliveryState, Message, Origin
from host.models.queue import OutboxEntry
from host.sdk.channel import Absent, Found, NotSent, Rejected, SendRequest, SendResult, Sent, Unknown
from host.sdk.messages import InboundAttachment, MessageEchoed, MessageKind
from tests.delivery.desk import PROBLEM, Desk, ToyAdapter
from tests.helpers import work
from tests.inbox.toys import RICH
from tests.media import samples

Travel = Callable[[timedelta], None]
QUEUED, SENT = DeliveryState.QUEUED, DeliveryState.SENT
FAILED, UNKNOWN = DeliveryState.FAILED, DeliveryState.UNKNOWN
LINK = "https://cdn.example.com/1"
PICTURE = samples.picture("PNG", dirty=False)


@pytest.fixture(autouse=True)
def _everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    storage.use(storage.FolderStore(tmp_path / "attachments"))
    monkeypatch.setattr(ToyAdapter, "capabilities", RICH.capabilities)


def send(desk: Desk, talk: int, *drafts: Draft, key: str = "0123456789") -> list[int]:
    def write(session: Any) -> list[int]:
        made = queue_parts(work(session, desk.workspace_id), talk, drafts, reply_key=key, adapter=desk.toy)
        return [message.id for message in made]

    return db.write(write)


def upload(desk: Desk, content: bytes = PICTURE, name: str = "Ünïcode 😀.png") -> str:
    return uploads.keep_upload(io.BytesIO(content), name, workspace_id=desk.workspace_id, user_id=None).id


def test_the_adapter_gets_the_files_as_they_are_kept(any_desk: Desk) -> None:
    talk = any_desk.customer_wrote()
    seen: list[bytes] = []

    def read(request: SendRequest) -> SendResult:
        for file in request.part.files:
            with file.open() as opened:
                seen.append(opened.read())
        return Rejected(PROBLEM)

    any_desk.toy.script = [read]
    ids = send(any_desk, talk, Draft(uploads=(upload(any_desk), upload(any_desk, samples.picture("PNG")))))
    any_desk.drain()
    (request,) = any_desk.toy.sent
    files = request.part.files
    assert request.part.kind is MessageKind.IMAGE
    assert [(file.kind, file.name, file.content_type) for file in files] == [
        (MessageKind.IMAGE, "Ünïcode 😀.png", "image/png")
    ] * 2
    assert [file.size for file in files] == [len(one) for one in seen]
    assert all(one.startswith(b"\x89PNG") for one in seen)
    assert samples.GPS not in b"".join(seen)
    assert any_desk.states(*ids) == [FAILED]


def test_retry_sends_the_same_files_again(desk: Desk) -> None:
    talk = desk.customer_wrote()
    desk.toy.script = [Rejected(PROBLEM)]
    first, second = send(desk, talk, Draft(text="and this", uploads=(upload(desk),)))
    desk.drain()
    assert desk.states(first, second) == [FAILED, QUEUED]
    db.write(resending.retry, first)
    desk.drain()
    assert desk.states(first, second) == [SENT, SENT]
    assert [len(request.part.files) for request in desk.toy.sent] == [1, 1, 0]
    assert desk.toy.sent[0].message_key == desk.toy.sent[1].message_key


def test_parts_wait_for_each_other_in_order(desk: Desk, travel: Travel) -> None:
    talk = desk.customer_wrote()
    desk.toy.script = [NotSent(PROBLEM)]
    ids = send(desk, talk, Draft(text="after it", uploads=(upload(desk),)))
    desk.drain()
    assert len(desk.toy.sent) == 1
    travel(timedelta(seconds=3))
    desk.drain()
    assert desk.states(*ids) == [SENT, SENT]
    assert [request.part.kind for request in desk.toy.sent] == ["image", "image", "text"]


def test_content_and_quote_reach_the_adapter(desk: Desk) -> None:
    talk = desk.customer_wrote()
    with db.read() as session:
        question = session.query(Message).one()
    offered = {"quick_replies": [{"title": "Red"}]}
    send(desk, talk, Draft(text="Which?", content=offered, reply_to=question.id))
    desk.drain()
    part = desk.toy.sent[0].part
    assert part.content == {"quick_replies": [{"title": "Red", "payload": "Red"}]}
    assert part.reply_to == question.external_id


def test_a_worker_that_dies_while_it_hands_files_over_does_not_double_them(
    desk: Desk, travel: Travel
) -> None:
    talk = desk.customer_wrote()

    def die(_request: SendRequest) -> SendResult:
        raise SystemExit

    desk.toy.script = [die]
    (message,) = send(desk, talk, Draft(uploads=(upload(desk),)))
    with pytest.raises(SystemExit):
        desk.drain()
    assert desk.state(message) == DeliveryState.SENDING
    travel(timedelta(seconds=31))
    desk.drain()
    assert desk.state(message) == UNKNOWN
    desk.toy.searches = [Absent(), Found("there-after-all")]
    desk.later(travel, timedelta(minutes=4))
    assert desk.state(message) == SENT
    assert len(desk.toy.sent) == 1
    assert len(desk.toy.searched[0].part.files) == 1


def test_a_picture_that_is_certainly_not_there_is_sent_once_more(desk: Desk, travel: Travel) -> None:
    talk = desk.customer_wrote()
    desk.toy.script = [Unknown(PROBLEM)]
    (message,) = send(desk, talk, Draft(uploads=(upload(desk),)))
    desk.later(travel, timedelta(minutes=5))
    assert desk.state(message) == SENT
    assert len(desk.toy.sent) == 2


def test_a_file_that_is_gone_fails_its_message_and_holds_no_other_reply_up(
    desk: Desk, tmp_path: Path
) -> None:
    talk = desk.customer_wrote()
    first, second = send(desk, talk, Draft(text="waits for it", uploads=(upload(desk),)))
    other = desk.reply("still goes", talk)
    storage.use(storage.FolderStore(tmp_path / "empty"))
    desk.drain()
    assert desk.states(first, second, other) == [FAILED, QUEUED, SENT]
    error = desk.message(first).error
    assert error is not None
    assert error["code"] == "file_gone"
    assert [request.part.kind for request in desk.toy.sent] == ["text"]


def test_a_file_that_cannot_be_reached_has_its_reply_wait_and_say_so(
    desk: Desk, tmp_path: Path, travel: Travel, monkeypatch: pytest.MonkeyPatch
) -> None:
    talk = desk.customer_wrote()
    (message,) = send(desk, talk, Draft(uploads=(upload(desk),)))

    def away(*_: object) -> None:
        raise storage.StoreAwayError("it does not answer")

    with monkeypatch.context() as patched:
        patched.setattr(storage.FolderStore, "open_stored", away)
        desk.drain()
        for _ in range(10):
            desk.later(travel, timedelta(minutes=5))
    assert desk.state(message) == QUEUED
    assert desk.message(message).error is None
    assert desk.toy.sent == []
    with db.read() as session:
        waiting = session.scalars(sa.select(OutboxEntry.waiting)).one()
    assert waiting is not None
    assert waiting["sentence"] == agent_messages.FILES_AWAY
    desk.later(travel, timedelta(minutes=5))
    assert desk.state(message) == SENT
    assert len(desk.toy.sent) == 1


# Echoes of what was sent


def pictures(desk: Desk, count: int) -> Draft:
    taken = [
        uploads.keep_upload(
            io.BytesIO(samples.picture("PNG", size=(8 + n, 8))),
            f"{n}.png",
            workspace_id=desk.workspace_id,
            user_id=None,
        ).id
        for n in range(count)
    ]
    return Draft(uploads=tuple(taken))


def echo(
    desk: Desk, mid: str, kind: MessageKind, files: int = 0, *, text: str = "", later: float = 0
) -> None:
    attachments = tuple(InboundAttachment(kind, url=f"{LINK}{n}") for n in range(files))
    at = clock.now() + timedelta(seconds=later)
    change = MessageEchoed("anna", mid, at, kind=kind, text=text, attachments=attachments)
    media = media_of(desk.toy, change)
    db.write(apply_changes, [Incoming(desk.account, desk.toy, change, clock.now(), mid, media=media)])


def from_the_app() -> list[Message]:
    with db.read() as session:
        return list(session.scalars(sa.select(Message).where(Message.origin == Origin.PROVIDER)))


def test_the_echo_of_a_picture_confirms_it_whichever_comes_first(any_desk: Desk) -> None:
    talk = any_desk.customer_wrote()

    def ahead(_request: SendRequest) -> SendResult:
        echo(any_desk, "m1", MessageKind.IMAGE, 2)
        return Sent("m1")

    any_desk.toy.script = [ahead, Sent("m2")]
    first, second = send(any_desk, talk, pictures(any_desk, 2), pictures(any_desk, 1))
    any_desk.drain()
    echo(any_desk, "m2", MessageKind.IMAGE, 1)
    assert any_desk.states(first, second) == [SENT, SENT]
    assert [any_desk.message(one).external_id for one in (first, second)] == ["m1", "m2"]
    assert from_the_app() == []


def test_an_echo_resolves_what_nobody_confirmed(any_desk: Desk) -> None:
    talk = any_desk.customer_wrote()
    any_desk.toy.script = [Unknown(PROBLEM)]
    (message,) = send(any_desk, talk, pictures(any_desk, 2))
    any_desk.drain()
    echo(any_desk, "m1", MessageKind.IMAGE, 2)
    assert (any_desk.state(message), any_desk.message(message).external_id) == (SENT, "m1")
    assert any_desk.drain() >= 0
    assert len(any_desk.toy.sent) == 1


@pytest.mark.parametrize(
    ("kind", "files"), [(MessageKind.IMAGE, 1), (MessageKind.IMAGE, 3), (MessageKind.VIDEO, 2)]
)
def test_another_number_or_kind_is_somebody_elses(desk: Desk, kind: MessageKind, files: int) -> None:
    talk = desk.customer_wrote()
    desk.toy.script = [Unknown(PROBLEM)]
    (message,) = send(desk, talk, pictures(desk, 2))
    desk.drain()
    echo(desk, "m1", kind, files)
    assert desk.state(message) == UNKNOWN
    assert [one.external_id for one in from_the_app()] == ["m1"]


def test_an_echo_from_before_the_attempt_is_somebody_elses(desk: Desk) -> None:
    talk = desk.customer_wrote()
    desk.toy.script = [Unknown(PROBLEM)]
    (message,) = send(desk, talk, pictures(desk, 1))
    desk.drain()
    echo(desk, "m1", MessageKind.IMAGE, 1, later=-60)
    assert desk.state(message) == UNKNOWN


def test_words_with_a_picture_do_not_matter(desk: Desk) -> None:
    talk = desk.customer_wrote()
    desk.toy.script = [Unknown(PROBLEM)]
    (message,) = send(desk, talk, Draft(MessageKind.STICKER))
    desk.drain()
    echo(desk, "m1", MessageKind.STICKER, text="\u2764\ufe0f")
    assert desk.state(message) == SENT


CARD = Draft(
    MessageKind.TEMPLATE, content={"template": {"elements": [{"title": "A lamp", "subtitle": "Brass"}]}}
)


@pytest.mark.parametrize(
    ("draft", "kind"),
    [
        (CARD, MessageKind.TEMPLATE),
        (CARD, MessageKind.UNSUPPORTED),
        (CARD, MessageKind.SHARE),
        (Draft(MessageKind.SHARE, content={"own_post": "1"}), MessageKind.SHARE),
        (Draft(MessageKind.SHARE, content={"own_post": "1"}), MessageKind.UNSUPPORTED),
        (Draft(MessageKind.STICKER), MessageKind.UNSUPPORTED),
    ],
)
def test_what_nobody_documents_is_recognised_however_it_is_read(
    desk: Desk, draft: Draft, kind: MessageKind
) -> None:
    talk = desk.customer_wrote()
    desk.toy.script = [Unknown(PROBLEM)]
    (message,) = send(desk, talk, draft)
    desk.drain()
    echo(desk, "m1", kind, 1 if kind is MessageKind.SHARE else 0)
    assert desk.state(message) == SENT
    assert from_the_app() == []


def test_the_likeliest_is_taken_first(desk: Desk) -> None:
    talk = desk.customer_wrote()
    desk.toy.script = [Unknown(PROBLEM), Unknown(PROBLEM)]
    cards, post = send(desk, talk, CARD, Draft(MessageKind.SHARE, content={"own_post": "1"}))
    desk.drain()
    with db.read() as session:
        states = list(session.scalars(sa.select(Message.state).where(Message.id.in_([cards, post]))))
    assert states.count(UNKNOWN) == 1, "the second waits for the first"
    echo(desk, "m1", MessageKind.TEMPLATE)
    desk.drain()
    echo(desk, "m2", MessageKind.SHARE, 1)
    assert desk.states(cards, post) == [SENT, SENT]
    assert from_the_app() == []


def test_an_echo_that_came_before_its_answer_and_was_misread_gives_way(desk: Desk) -> None:
    talk = desk.customer_wrote()

    def ahead(_request: SendRequest) -> SendResult:
        echo(desk, "m1", MessageKind.VIDEO, 1)
        return Sent("m1")

    desk.toy.script = [ahead]
    (message,) = send(desk, talk, pictures(desk, 1))
    desk.drain()
    assert (desk.state(message), desk.message(message).external_id) == (SENT, "m1")
    assert from_the_app() == []
    with db.read() as session:
        files = session.scalars(sa.select(Attachment.message_id)).all()
    assert files == [message]


def test_a_picture_somebody_sent_in_the_app_at_the_same_time_is_kept_with_its_file(
    any_desk: Desk, door: Any
) -> None:
    talk = any_desk.customer_wrote()

    def meanwhile(_request: SendRequest) -> SendResult:
        door.receive(any_desk.account.id, "app", kind="echo", shows="image", links=[f"{LINK}/theirs"])
        any_desk.drain("in")
        return Sent("ours")

    any_desk.toy.script = [meanwhile]
    (message,) = send(any_desk, talk, pictures(any_desk, 1))
    any_desk.drain("out")
    any_desk.drain("in")
    assert (any_desk.state(message), any_desk.message(message).external_id) == (SENT, "ours")
    (theirs,) = from_the_app()
    assert (theirs.external_id, theirs.kind) == ("app", "image")
    with db.read() as session:
        files = {row.message_id: row for row in session.scalars(sa.select(Attachment))}
    assert files[theirs.id].url == f"{LINK}/theirs"
    assert files[message].url is None
    assert len(files) == 2
