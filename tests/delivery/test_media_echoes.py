"""Echoes of what has no words: known by kind and number, never doubled, never taken for somebody else's."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from host import clock, db, storage
from host.inbox.apply import Incoming, apply_changes
from host.inbox.drafts import Draft
from host.inbox.models import Attachment, DeliveryState, Message, Origin
from host.inbox.reply import queue_parts
from host.media import uploads
from host.sdk.channel import SendRequest, SendResult, Sent, Unknown
from host.sdk.messages import InboundAttachment, MessageEchoed, MessageKind
from tests.delivery.desk import PROBLEM, Desk, ToyAdapter
from tests.inbox.toys import RICH
from tests.media import samples

Travel = Callable[[timedelta], None]
SENT, UNKNOWN = DeliveryState.SENT, DeliveryState.UNKNOWN
LINK = "https://cdn.example.com/1"


@pytest.fixture(autouse=True)
def _everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    storage.use(storage.FolderStore(tmp_path / "attachments"))
    monkeypatch.setattr(ToyAdapter, "capabilities", RICH.capabilities)


def send(desk: Desk, talk: int, *drafts: Draft, key: str = "0123456789") -> list[int]:
    def write(session: Any) -> list[int]:
        made = queue_parts(
            session,
            workspace_id=desk.workspace_id,
            conversation_id=talk,
            author_id=None,
            drafts=drafts,
            reply_key=key,
            adapter=desk.toy,
            now=clock.now(),
        )
        return [message.id for message in made]

    return db.write(write)


def pictures(desk: Desk, count: int) -> Draft:
    taken = [
        uploads.take(
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
    db.write(apply_changes, [Incoming(desk.account, desk.toy, change, clock.now(), mid)])


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
