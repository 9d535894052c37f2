"""Taking files to send: what is refused and why, what is kept and for how long."""

from __future__ import annotations

import io
import os
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import clock, db, storage
from host.core.errors import TooManyError, UnavailableError
from host.media import file_removal, limits, uploads
from host.media.file_removal import forget_files
from host.media.limits import FileRefusedError
from host.models.inbox import Attachment, AttachmentState, Message
from host.models.media import FileRemoval, Upload
from host.sdk.capabilities import MediaLimits
from host.sdk.messages import MessageKind
from tests import helpers
from tests.inbox import toys
from tests.inbox.desks import Desk
from tests.media import samples

# werkzeug leaves the closing of a body it refused to the garbage collector.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*nclosed file:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

LIMITS = {
    MessageKind.IMAGE: MediaLimits(frozenset({"image/jpeg", "image/png"}), 8 * 1024 * 1024),
    MessageKind.AUDIO: MediaLimits(frozenset({"audio/wav"}), 1024),
}


def files(store: Path) -> list[Path]:
    return [path for path in store.rglob("*") if path.is_file() and path.name != ".lock"]


def take(
    workspace: int, content: bytes = samples.PDF, name: str = "list.pdf", **given: Any
) -> uploads.Upload:
    given.setdefault("user_id", None)
    return uploads.keep_upload(io.BytesIO(content), name, workspace_id=workspace, **given)


def refusal(workspace: int, content: bytes, **given: Any) -> str:
    with pytest.raises(FileRefusedError) as caught:
        take(workspace, content, **given)
    assert str(caught.value)
    return str(caught.value.code)


def post(desk: Desk, content: bytes, name: str = "a.jpg", **fields: Any) -> Any:
    headers = fields.pop("headers", {})
    file = (io.BytesIO(content), name, fields.pop("content_type", "image/jpeg"))
    data = {"csrf_token": desk.browser.csrf(), "file": file, **fields}
    return desk.browser.post(f"/w/{desk.workspace}/uploads", data=data, headers=headers)


def message_with(workspace: int, upload: uploads.Upload) -> int:
    account = toys.make_account(workspace)
    toys.apply(account, toys.received())
    message = toys.thread()[-1].id

    def attach(session: Session) -> None:
        (taken,) = uploads.attach(session, workspace, [upload.id])
        uploads.add_to_message(session, message, taken)

    db.write(attach)
    return message


@pytest.fixture
def workspace(database: db.Database, store: Path) -> int:
    return helpers.make_workspace()


# Taking


def test_a_picture_is_kept_without_where_it_was_taken(workspace: int) -> None:
    dirty = samples.picture("JPEG", orientation=6)
    taken = take(workspace, dirty, "IMG_1.jpg")
    assert (taken.kind, taken.content_type) == (MessageKind.IMAGE, "image/jpeg")
    assert (taken.width, taken.height) == (40, 60)
    with storage.open_stored(taken.storage_key) as file:
        kept = file.read()
    assert samples.GPS not in kept
    assert len(kept) == taken.size


DOCUMENTS = {
    **LIMITS,
    MessageKind.FILE: MediaLimits(
        frozenset({"application/pdf", "text/plain", "application/vnd.ms-powerpoint"}), limits.MAX_BYTES
    ),
}


def test_a_document_is_known_by_all_its_bytes(workspace: int) -> None:
    taken = take(workspace, samples.PPT, "talk.ppt", media=DOCUMENTS)
    assert (taken.kind, taken.content_type) == (MessageKind.FILE, "application/vnd.ms-powerpoint")
    assert (taken.name, taken.size) == ("talk.ppt", len(samples.PPT))


@pytest.mark.parametrize(
    ("content", "name", "says"),
    [
        (
            b"Blue mug: 8 EUR",
            "list.pdf",
            "“list.pdf” is named like a PDF file, but its content is of the type TXT.",
        ),
        (
            samples.picture("PNG"),
            "list.PDF",
            "“list.PDF” is named like a PDF file, but its content is of the type PNG.",
        ),
        (
            samples.DOCX,
            "list.pdf",
            "“list.pdf” is named like a PDF file, but its content is of the type DOCX.",
        ),
        (
            samples.PDF,
            "photo.jpg",
            "“photo.jpg” is named like a JPG file, but its content is of the type PDF.",
        ),
        (
            bytes(range(256)),
            "list.pdf",
            "“list.pdf” is named like a PDF file, but its content is something else.",
        ),
    ],
)
def test_a_renamed_document_is_refused(workspace: int, content: bytes, name: str, says: str) -> None:
    with pytest.raises(FileRefusedError) as caught:
        take(workspace, content, name, media=DOCUMENTS)
    assert (caught.value.code, str(caught.value.sentence)) == ("renamed", says)
    assert str(caught.value.next_step)
    take(workspace, content, name, media={MessageKind.FILE: MediaLimits(frozenset(), 9000), **LIMITS})


def test_names_that_say_nothing_are_taken(workspace: int) -> None:
    for name in ("prices", "prices.csv", "2026.11.28", "prices.txt"):
        assert take(workspace, b"mug,8", name, media=DOCUMENTS).content_type == "text/plain"
    assert take(workspace, samples.picture("PNG"), "a.jpg", media=DOCUMENTS).content_type == "image/png"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "empty"),
        (samples.picture("JPEG")[:400], "broken_picture"),
        (samples.bomb(), "too_many_pixels"),
        (samples.SVG, "picture_type"),
        (samples.HEIC, "picture_type"),
        (b"x" * (limits.MAX_BYTES + 1), "too_large"),
        (samples.picture("PNG") + b"\0" * limits.MAX_BYTES, "too_large"),
    ],
)
def test_what_cannot_be_sent_is_refused_and_leaves_nothing(
    workspace: int, store: Path, content: bytes, code: str
) -> None:
    assert refusal(workspace, content) == code
    assert files(store) == []
    assert toys.everything(Upload) == []


def test_a_channels_limits_are_named(workspace: int) -> None:
    for content, code, words in (
        (samples.picture("GIF"), "type_not_allowed", ("GIF", "JPEG, PNG")),
        (samples.MP4, "kind_not_allowed", ("Videos", "WAV")),
        (samples.WAV + b"\0" * 2000, "too_large", ("1 kB",)),
    ):
        with pytest.raises(FileRefusedError) as caught:
            take(workspace, content, media=LIMITS)
        assert caught.value.code == code
        for word in words:
            assert word in str(caught.value)


def test_html_named_jpg_is_html(workspace: int) -> None:
    taken = take(workspace, samples.HTML, "cat.jpg")
    assert (taken.kind, taken.content_type) == (MessageKind.FILE, "text/html")
    assert refusal(workspace, samples.HTML, name="cat.jpg", media=LIMITS) == "kind_not_allowed"


def test_a_stream_that_breaks_off_leaves_nothing(workspace: int, store: Path) -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell() > 500_000:
                raise ConnectionResetError
            return super().read(size)

    with pytest.raises(ConnectionResetError):
        uploads.keep_upload(Broken(b"x" * 2_000_000), "x", workspace_id=workspace, user_id=None)
    assert files(store) == []
    assert toys.everything(Upload) == []


def test_a_full_disk_is_said_and_leaves_nothing(
    workspace: int, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(UnavailableError, match="disk may be full"):
            take(workspace)
    assert files(store) == []
    assert toys.everything(Upload) == []


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\fake\\cat.jpg", "cat.jpg"),
        ("a\0b\r\nc\u202egpj.exe", "abcgpj.exe"),
        ("x" * 400 + ".jpg", "x" * 251 + ".jpg"),
        ("  ", ""),
        ("..", ""),
        ("Übersicht 😀.pdf", "Übersicht 😀.pdf"),
        ("\ud800x", "x"),
    ],
)
def test_names(name: str, kept: str) -> None:
    assert uploads.clean_name(name) == kept
    assert len(kept) <= 255


def test_nobody_fills_the_disk_with_files_that_wait(workspace: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "MOST_WAITING", 2)
    mia = helpers.make_user(workspace=workspace).id
    for _ in range(2):
        take(workspace, user_id=mia)
    with pytest.raises(TooManyError):
        take(workspace, user_id=mia)
    take(workspace, user_id=helpers.make_user(workspace=workspace).id)
    with clock.travel(timedelta(days=1, seconds=1)):
        take(workspace, user_id=mia)
    monkeypatch.setattr(uploads, "MOST_WAITING_BYTES", len(samples.PDF) * 3)
    bo = helpers.make_user(workspace=workspace).id
    monkeypatch.setattr(uploads, "MOST_WAITING", 100)
    for _ in range(3):
        take(workspace, user_id=bo)
    with pytest.raises(TooManyError):
        take(workspace, user_id=bo)


# Sending


def test_an_upload_goes_into_one_message(workspace: int) -> None:
    taken = take(workspace)
    message_with(workspace, taken)
    (row,) = toys.everything(Attachment)
    assert (row.storage_key, row.state, row.size) == (taken.storage_key, AttachmentState.STORED, taken.size)
    with pytest.raises(FileRefusedError) as caught:
        db.write(uploads.attach, workspace, [taken.id])
    assert caught.value.code == "upload_gone"


def test_no_message_takes_what_is_not_there(workspace: int) -> None:
    taken = take(workspace)
    other = helpers.make_workspace("Other")
    for where, ids in ((other, [taken.id]), (workspace, ["0" * 32]), (workspace, [taken.id, taken.id])):
        with pytest.raises(FileRefusedError):
            db.write(uploads.attach, where, ids)
    with clock.travel(uploads.KEPT), pytest.raises(FileRefusedError):
        db.write(uploads.attach, workspace, [taken.id])
    assert db.write(uploads.attach, workspace, []) == []


def test_the_order_is_the_agents(any_database: db.Database, store: Path) -> None:
    workspace = helpers.make_workspace()
    taken = [take(workspace, bytes([65 + number]) * 3) for number in range(3)]
    wanted = [taken[2].id, taken[0].id, taken[1].id]
    assert [one.id for one in db.write(uploads.attach, workspace, wanted)] == wanted


# Removing


def test_what_is_not_sent_within_a_day_goes(any_database: db.Database, store: Path) -> None:
    workspace = helpers.make_workspace()
    take(workspace)
    cleaner = file_removal.Cleaner()
    cleaner.clean_up()
    assert len(files(store)) == 1
    with clock.travel(uploads.KEPT + timedelta(seconds=1)):
        cleaner.clean_up()
    assert files(store) == []
    assert toys.everything(Upload) == []
    assert toys.everything(FileRemoval) == []


def test_what_was_sent_stays(workspace: int, store: Path) -> None:
    message_with(workspace, take(workspace))
    with clock.travel(timedelta(days=40)):
        file_removal.Cleaner().clean_up()
    assert len(files(store)) == 1
    assert toys.everything(Upload) == []


def test_forgetting_a_message_removes_its_files(any_database: db.Database, store: Path) -> None:
    workspace = helpers.make_workspace()
    message = message_with(workspace, take(workspace))
    db.write(forget_files, [message])
    assert files(store) == []
    assert toys.everything(Attachment) == toys.everything(Upload) == toys.everything(FileRemoval) == []
    assert len(toys.everything(Message)) == 1
    db.write(forget_files, [message])
    db.write(forget_files, [])


def test_bytes_somebody_else_has_too_stay(workspace: int, store: Path) -> None:
    waiting, sent = take(workspace), take(workspace)
    assert waiting.storage_key == sent.storage_key
    first = message_with(workspace, sent)
    db.write(forget_files, [first])
    assert len(files(store)) == 1
    with clock.travel(uploads.KEPT + timedelta(seconds=1)):
        file_removal.Cleaner().clean_up()
    assert files(store) == []


def test_nothing_goes_with_a_write_that_fails(workspace: int, store: Path) -> None:
    message = message_with(workspace, take(workspace))

    def failing(session: Session) -> None:
        forget_files(session, [message])
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        db.write(failing)
    assert len(files(store)) == len(toys.everything(Attachment)) == 1


def test_a_process_that_died_before_removing_leaves_a_note(
    workspace: int, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = message_with(workspace, take(workspace))
    with monkeypatch.context() as patched:
        patched.setattr(file_removal, "remove_noted", lambda: (_ for _ in ()).throw(OSError("died")))
        db.write(forget_files, [message])
    assert len(files(store)) == 1
    file_removal.Cleaner().clean_up()
    assert files(store) == []


def test_files_no_row_knows_go_after_a_day(workspace: int, store: Path) -> None:
    stray = storage.store(b"stray")
    kept = take(workspace, b"kept")
    (store / ".new-left").write_bytes(b"half")
    cleaner = file_removal.Cleaner()
    cleaner.walk(stray[:2])
    assert len(files(store)) == 3
    with clock.travel(timedelta(hours=25)):
        for shard in storage.SHARDS:
            cleaner.walk(shard)
    assert [path.name for path in files(store)] == [kept.storage_key]


def test_removing_and_storing_the_same_bytes_at_once_never_loses_them(workspace: int, store: Path) -> None:
    """Whoever stores writes the row first, whoever removes looks for rows: in no order is a row left bare."""
    errors: list[BaseException] = []

    def run(work: Any) -> None:
        try:
            for _ in range(25):
                work()
        except BaseException as error:  # noqa: BLE001 - shown below
            errors.append(error)

    def come_and_go() -> None:
        taken = take(workspace)
        db.write(lambda session: session.execute(sa.delete(Upload).where(Upload.uuid == taken.id)))
        file_removal.remove_unused(taken.storage_key)

    def stay() -> None:
        with storage.open_stored(take(workspace).storage_key) as file:
            assert file.read() == samples.PDF

    threads = [threading.Thread(target=run, args=(work,)) for work in (come_and_go, come_and_go, stay)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(files(store)) == 1


# In the browser


def test_the_answer_says_what_was_taken(desk: Desk) -> None:
    response = post(desk, samples.picture("PNG"), "holiday.jpg")
    assert response.status_code == 201
    body = response.json
    assert {**body, "id": "", "url": "", "size": 0} == {
        "id": "",
        "kind": "image",
        "name": "holiday.jpg",
        "size": 0,
        "content_type": "image/png",
        "width": 60,
        "height": 40,
        "url": "",
    }
    shown = desk.browser.get(body["url"])
    assert shown.status_code == 200
    assert shown.headers["Content-Type"] == "image/png"
    assert shown.headers["Content-Disposition"].startswith("inline")
    assert "sandbox" in shown.headers["Content-Security-Policy"]
    assert shown.headers["X-Content-Type-Options"] == "nosniff"
    assert len(shown.data) == body["size"]


def test_html_named_jpg_is_only_ever_saved(desk: Desk) -> None:
    shown = desk.browser.get(post(desk, samples.HTML).json["url"])
    assert shown.headers["Content-Type"] == "application/octet-stream"
    assert shown.headers["Content-Disposition"].startswith("attachment")


def test_a_refusal_is_json_with_the_limit(desk: Desk) -> None:
    response = post(desk, samples.bomb(), headers={"Accept": "text/html"})
    assert response.status_code == 422
    assert response.json["error"]["code"] == "too_many_pixels"
    assert "25 million" in response.json["error"]["message"]
    assert response.json["error"]["next"]


def test_what_is_too_large_is_not_even_read(desk: Desk) -> None:
    response = post(desk, b"x" * (limits.MAX_BYTES + 200_000))
    assert response.status_code == 413
    assert "25 MB" in response.json["error"]["message"]


def test_no_token_no_file_and_nobody_signed_in(desk: Desk, store: Path) -> None:
    path = f"/w/{desk.workspace}/uploads"
    assert desk.browser.post(path, data={"file": (io.BytesIO(b"x"), "x")}).status_code == 400
    assert desk.browser.post_form(path).json["error"]["code"] == "invalid"
    assert desk.browser.post_form(path, file="not a file").status_code == 400
    stranger = helpers.browser(desk.app)
    assert stranger.post(path, data={"file": (io.BytesIO(b"x"), "x")}).status_code == 401
    assert files(store) == []


def test_nothing_of_a_strangers_body_is_read(desk: Desk) -> None:
    class Watched(io.BytesIO):
        touched = False

        def read(self, *given: Any) -> bytes:
            self.touched = True
            return super().read(*given)

    body = Watched(b"x" * 100)
    response = helpers.browser(desk.app).post(
        f"/w/{desk.workspace}/uploads",
        input_stream=body,
        headers={"Content-Type": "multipart/form-data; boundary=x", "Content-Length": "100"},
    )
    assert response.status_code == 401
    assert not body.touched


def test_other_workspaces_reach_nothing(desk: Desk) -> None:
    url = post(desk, samples.picture("JPEG")).json["url"]
    other = helpers.make_workspace("Other")
    eve = helpers.client_for(desk.app, helpers.make_user(workspace=other))
    assert eve.get(url).status_code == 404
    assert eve.get(url.replace(f"/w/{desk.workspace}/", f"/w/{other}/")).status_code == 404
    assert post(desk, b"x", account=str(toys.make_account(other).id)).status_code == 404


def test_an_account_named_along_decides_what_it_may_be(desk: Desk) -> None:
    response = post(desk, samples.picture("JPEG"), account=str(desk.account.id))
    assert (response.status_code, response.json["error"]["code"]) == (422, "kind_not_allowed")
    for odd in ("x", "-1", "9" * 30, "99999"):
        assert post(desk, b"x", account=odd).status_code in {400, 404}


def test_a_body_that_ends_too_early_is_refused(desk: Desk, store: Path) -> None:
    token = desk.browser.csrf()
    part = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.pdf"\r\n\r\n%PDF-1.4 '
    response = desk.browser.post(
        f"/w/{desk.workspace}/uploads",
        data=part,
        headers={"Content-Type": "multipart/form-data; boundary=x", "X-CSRFToken": token},
    )
    assert response.status_code == 400
    assert files(store) == []


def test_parts_of_a_file_for_a_player(desk: Desk) -> None:
    url = post(desk, samples.WAV, "a.wav").json["url"]
    part = desk.browser.get(url, headers={"Range": "bytes=0-3"})
    assert (part.status_code, part.data) == (206, b"RIFF")
    assert part.headers["Content-Range"] == f"bytes 0-3/{len(samples.WAV)}"
    assert desk.browser.get(url, headers={"Range": f"bytes={len(samples.WAV)}-"}).status_code == 416
