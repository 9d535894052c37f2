"""Looking at files: ours in parts, the provider's by way of us, and nothing of those written down."""

from __future__ import annotations

import struct
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from host.core import db
from host.media import fetching, passthrough
from host.models.channels import ChannelAccount
from host.models.inbox import Attachment, AttachmentState
from host.sdk.channel import AccountRef
from host.sdk.errors import FetchError, FileEndedError
from host.sdk.messages import InboundAttachment, MessageKind
from tests import helpers
from tests.inbox import toys
from tests.inbox.desks import Desk, open_desk
from tests.media import samples
from tests.media.provider import Linking, Provider, serving
from tests.media.test_uploads import files

ADAPTER = Linking()


@pytest.fixture
def provider() -> Iterator[Provider]:
    with serving() as found:
        yield found


@pytest.fixture
def desk(database: db.Database, data: Path, store: Path) -> Desk:
    return open_desk(data, ADAPTER)


def linked(desk: Desk, url: str, kind: MessageKind = MessageKind.STORY_MENTION, **given: Any) -> str:
    """Let a message with a link come; return the address of its file."""
    toys.apply(
        desk.account,
        toys.received("", kind=kind, attachments=(InboundAttachment(kind, url, **given),)),
        adapter=ADAPTER,
    )
    return f"/w/{desk.workspace}/media/{toys.everything(Attachment)[-1].id}"


def state() -> str:
    found: str = toys.everything(Attachment)[-1].state
    return found


def test_a_story_is_passed_through_and_not_written_down(
    desk: Desk, provider: Provider, store: Path, data: Path
) -> None:
    body = samples.picture("JPEG", size=(800, 600))
    path = linked(desk, provider.put("/story", body))
    response = desk.browser.get(path)
    assert (response.status_code, response.data) == (200, body)
    assert response.headers["Content-Type"] == "image/jpeg"
    assert response.headers["Content-Length"] == str(len(body))
    assert response.headers["Cache-Control"] == "private, no-store"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Content-Security-Policy"].startswith("sandbox; default-src 'none'")
    assert state() == AttachmentState.LINKED
    assert files(store) == []
    assert not any(body[100:200] in path.read_bytes() for path in data.rglob("*") if path.is_file())


def bomb(form: str, size: int = 60_000) -> bytes:
    """Return a small picture that says it has so many pixels each way."""
    body = bytearray(samples.picture(form, dirty=False))
    if form == "PNG":
        body[16:24] = struct.pack(">II", size, size)
        body[29:33] = struct.pack(">I", zlib.crc32(bytes(body[12:29])))
    elif form == "GIF":
        body[6:10] = struct.pack("<HH", size, size)
    else:
        at = next(body.index(marker) for marker in (b"\xff\xc0", b"\xff\xc2") if marker in body)
        body[at + 5 : at + 9] = struct.pack(">HH", size, size)
    return bytes(body)


@pytest.mark.parametrize("form", ["PNG", "GIF", "JPEG"])
@pytest.mark.parametrize("stored", [True, False])
def test_a_picture_no_browser_would_bear_is_saved_and_not_shown(
    desk: Desk, provider: Provider, form: str, stored: bool
) -> None:
    body = bomb(form)
    kind = MessageKind.IMAGE if stored else MessageKind.STORY_MENTION
    path = linked(desk, provider.put("/a", body), kind)
    if stored:
        fetching.fetch_due(desk.generation.directory)
        assert state() == AttachmentState.STORED
    shown = desk.browser.get(path)
    assert shown.status_code == 422
    assert "more than 100 million pixels" in shown.text
    assert desk.browser.get(f"{path}?download=1").data == body, "nothing is lost"
    if stored:
        page = desk.browser.get(desk.path(f"/{toys.thread()[0].conversation_id}")).text
        assert f'<img src="{path}"' not in page
        assert f"{path}?download=1" in page


def test_parts_are_passed_through_for_players(desk: Desk, provider: Provider) -> None:
    body = samples.WEBM + bytes(100_000)
    path = linked(desk, provider.put("/film", body, "video/webm"))
    part = desk.browser.get(path, headers={"Range": "bytes=50-149"})
    assert (part.status_code, part.data) == (206, body[50:150])
    assert part.headers["Content-Range"] == f"bytes 50-149/{len(body)}"
    assert part.headers["Content-Type"] == "video/webm"
    first = desk.browser.get(path, headers={"Range": "bytes=0-"})
    assert (first.status_code, first.data, first.headers["Content-Type"]) == (206, body, "video/webm")


def test_what_is_passed_through_can_do_nothing(desk: Desk, provider: Provider) -> None:
    for body, told in (
        (samples.HTML, "text/html"),
        (samples.SVG, "image/svg+xml"),
        (samples.HTML, "image/png"),
    ):
        path = linked(desk, provider.put("/x", body, told))
        response = desk.browser.get(path)
        assert response.headers["Content-Type"] == "application/octet-stream"
        assert response.headers["Content-Disposition"].startswith("attachment")
        late = desk.browser.get(path, headers={"Range": "bytes=3-"})
        assert late.headers["Content-Type"] in {"application/octet-stream", "image/png"}
        assert late.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("status", [403, 404, 410])
def test_an_address_that_has_ended_is_remembered(desk: Desk, provider: Provider, status: int) -> None:
    path = linked(desk, provider.put("/story", status=status))
    for _ in range(3):
        assert desk.browser.get(path).status_code == 410
    assert len(provider.asked) == 1
    assert state() == AttachmentState.EXPIRED
    assert [one.topic for one in helpers.shown()] == ["message", "state"]
    assert path not in desk.browser.get(desk.path(f"/{toys.thread()[0].conversation_id}")).text


def test_a_provider_that_does_not_answer_is_asked_again(desk: Desk, provider: Provider) -> None:
    path = linked(desk, provider.put("/story", status=500))
    assert desk.browser.get(path).status_code == 502
    assert state() == AttachmentState.LINKED
    provider.put("/story", samples.picture("JPEG"))
    assert desk.browser.get(path).status_code == 200
    provider.put("/story", b"", length=100)
    assert desk.browser.get(path).status_code == 502


def test_what_is_not_fetched_yet_can_be_looked_at(desk: Desk, provider: Provider, store: Path) -> None:
    body = samples.picture("JPEG")
    path = linked(desk, provider.put("/a", body), MessageKind.IMAGE)
    assert desk.browser.get(path).data == body
    assert (state(), files(store)) == (AttachmentState.WAITING, [])
    fetching.fetch_due(desk.generation.directory)
    asked = len(provider.asked)
    assert desk.browser.get(path).data == body
    assert len(provider.asked) == asked, "now it is ours"
    part = desk.browser.get(path, headers={"Range": "bytes=2-9"})
    assert (part.status_code, part.data) == (206, body[2:10])


def test_whether_a_story_is_a_film_is_learned(desk: Desk, provider: Provider) -> None:
    path = linked(desk, provider.put("/story", samples.MP4, "video/mp4"))
    conversation = desk.path(f"/{toys.thread()[0].conversation_id}")
    assert "<video" not in desk.browser.get(conversation).text
    desk.browser.get(path)
    assert toys.everything(Attachment)[-1].content_type == "video/mp4"
    assert "<video" in desk.browser.get(conversation).text


def test_no_session_of_the_database_is_held_while_bytes_go_out(
    desk: Desk, provider: Provider, database: db.Database
) -> None:
    helpers.read_first(desk.app)
    begun, go = threading.Event(), threading.Event()

    def wait() -> None:
        begun.set()
        go.wait(10)

    path = linked(desk, provider.put("/story", samples.picture("JPEG"), before=wait))
    thread = threading.Thread(target=desk.browser.get, args=(path,))
    thread.start()
    assert begun.wait(10)
    assert database.read_engine.pool.checkedout() == 0  # type: ignore[attr-defined]
    assert database.write_engine.pool.checkedout() == 0  # type: ignore[attr-defined]
    go.set()
    thread.join()


def test_not_every_thread_reads_films(
    desk: Desk, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = linked(desk, provider.put("/story", samples.picture("JPEG")))
    for _ in range(passthrough.AT_ONCE * 2):
        assert desk.browser.get(path).status_code == 200, "each gives its place back"
    monkeypatch.setattr(passthrough, "_places", threading.BoundedSemaphore(1))
    assert passthrough._places.acquire(blocking=False)
    assert desk.browser.get(path).status_code == 503


def test_a_reader_who_goes_away_gives_the_place_back(
    desk: Desk, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passthrough, "_places", threading.BoundedSemaphore(1))
    path = linked(desk, provider.put("/film", samples.WEBM + bytes(3_000_000), "video/webm"))
    with desk.app.test_client() as client:
        with desk.browser.session_transaction() as mine, client.session_transaction() as theirs:
            theirs.update(mine)
        response = client.get(path, buffered=False)
        next(response.iter_encoded())
        response.close()
    assert desk.browser.get(path).status_code == 200


def test_others_see_nothing(desk: Desk, provider: Provider) -> None:
    path = linked(desk, provider.put("/story", samples.picture("JPEG")))
    other = helpers.make_workspace("Other")
    eve = helpers.client_for(desk.app, helpers.make_user(workspace=other))
    assert eve.get(path).status_code == 404
    assert eve.get(path.replace(f"/w/{desk.workspace}/", f"/w/{other}/")).status_code == 404
    assert helpers.browser(desk.app).get(path).status_code == 302
    assert provider.asked == []


def test_nothing_is_asked_of_an_address_elsewhere(desk: Desk, provider: Provider) -> None:
    path = linked(desk, "https://evil.example/x")
    assert (desk.browser.get(path).status_code, state()) == (404, AttachmentState.OUTSIDE)
    inside = linked(desk, provider.put("/x", status=302, headers={"Location": "http://10.0.0.1/"}))
    assert desk.browser.get(inside).status_code == 404


def test_without_the_addon_there_is_nobody_to_ask(desk: Desk, provider: Provider) -> None:
    path = linked(desk, provider.put("/story", samples.picture("JPEG")))
    toys.change_row(ChannelAccount, desk.account.id, channel="gone")
    assert desk.browser.get(path).status_code == 404
    assert state() == AttachmentState.LINKED


@pytest.mark.parametrize("part", ["bytes=9-1", "x" * 5000, "bytes=-", "lines=1-2", "bytes=0-0,5-9"])
def test_odd_parts_do_no_harm(desk: Desk, provider: Provider, part: str) -> None:
    body = samples.picture("JPEG")
    path = linked(desk, provider.put("/a", body), MessageKind.IMAGE)
    fetching.fetch_due(desk.generation.directory)
    assert desk.browser.get(path, headers={"Range": part}).status_code in {200, 206, 416}


def test_downloading(desk: Desk, provider: Provider) -> None:
    path = linked(desk, provider.put("/a", samples.picture("JPEG")), MessageKind.IMAGE, name='a"b\n.jpg')
    response = desk.browser.get(f"{path}?download=1")
    assert response.headers["Content-Disposition"].startswith("attachment; filename=")
    assert "\n" not in response.headers["Content-Disposition"]


@pytest.mark.parametrize(
    ("found", "status"),
    [(None, 200), (FileEndedError("gone"), 410), (FetchError("silent"), 502), (KeyError("x"), 502)],
)
def test_a_file_is_looked_at_where_the_addon_finds_it(
    desk: Desk, provider: Provider, monkeypatch: pytest.MonkeyPatch, found: Exception | None, status: int
) -> None:
    body = samples.picture("JPEG", size=(800, 600))
    real = provider.put("/really", body)

    def locate(_account: AccountRef, url: str) -> str:
        assert url == "https://files.example.com/id/7"
        if found is not None:
            raise found
        return real

    monkeypatch.setattr(ADAPTER, "locate", locate, raising=False)
    response = desk.browser.get(linked(desk, "https://files.example.com/id/7"))
    assert response.status_code == status
    assert (response.data == body) == (status == 200)
    assert state() == (AttachmentState.EXPIRED if status == 410 else AttachmentState.LINKED)
