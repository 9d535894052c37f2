"""Messages made of files: what the adapter gets, Retry, a worker that dies, files that are gone."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from host import clock, db, storage
from host.delivery import outbox
from host.inbox.drafts import Draft
from host.inbox.models import DeliveryState, Message
from host.inbox.reply import queue_parts
from host.media import uploads
from host.sdk.channel import Absent, Found, NotSent, Rejected, SendRequest, SendResult, Unknown
from host.sdk.messages import MessageKind
from tests.delivery.desk import PROBLEM, Desk
from tests.inbox.toys import RICH
from tests.media import samples

Travel = Callable[[timedelta], None]
SENT, FAILED, UNKNOWN = DeliveryState.SENT, DeliveryState.FAILED, DeliveryState.UNKNOWN
PICTURE = samples.picture("PNG", dirty=False)


@pytest.fixture(autouse=True)
def _everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.delivery.desk import ToyAdapter

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


def upload(desk: Desk, content: bytes = PICTURE, name: str = "Ünïcode 😀.png") -> str:
    return uploads.take(io.BytesIO(content), name, workspace_id=desk.workspace_id, user_id=None).id


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
    assert desk.states(first, second) == [FAILED, SENT]
    db.write(outbox.retry, first)
    desk.drain()
    assert desk.states(first, second) == [SENT, SENT]
    assert [len(request.part.files) for request in desk.toy.sent] == [1, 0, 1]
    assert desk.toy.sent[0].message_key == desk.toy.sent[2].message_key


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


def test_a_file_that_is_gone_fails_its_message_and_holds_nothing_up(desk: Desk, tmp_path: Path) -> None:
    talk = desk.customer_wrote()
    first, second = send(desk, talk, Draft(text="still goes", uploads=(upload(desk),)))
    storage.use(storage.FolderStore(tmp_path / "empty"))
    desk.drain()
    assert desk.states(first, second) == [FAILED, SENT]
    error = desk.message(first).error
    assert error is not None
    assert error["code"] == "file_gone"
    assert [request.part.kind for request in desk.toy.sent] == ["text"]
