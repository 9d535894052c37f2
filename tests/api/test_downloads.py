"""Files of messages, with the key and in parts."""

from __future__ import annotations

import pytest

from host.core import storage
from host.models.inbox import Attachment, AttachmentState
from host.sdk.messages import InboundAttachment, MessageKind
from tests.api.desks import ApiDesk
from tests.inbox import toys

PDF = InboundAttachment(
    MessageKind.FILE, content=b"%PDF-1.4 the plan", name="plan.pdf", content_type="application/pdf"
)


@pytest.fixture
def url(desk: ApiDesk) -> str:
    """The address of a file, below the API."""
    at = desk.scene.ago(minutes=5)
    desk.scene.said("ana", "Ana", "", at, kind=MessageKind.FILE, attachments=(PDF,))
    key = storage.store(b"%PDF-1.4 the plan")
    row = toys.only(Attachment)
    toys.change_row(Attachment, row.id, storage_key=key, state=AttachmentState.STORED)
    page = desk.program.get(f"/conversations/{desk.scene.conversation('ana')}/messages")
    (file,) = page["data"][0]["attachments"]
    return str(file["url"]).removeprefix("/api/v1")


def test_a_file_comes_with_the_key_and_without_it_not(desk: ApiDesk, url: str) -> None:
    answer = desk.reader.call("GET", url)
    assert answer.status_code == 200
    assert answer.data == b"%PDF-1.4 the plan"
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["RateLimit-Limit"]
    assert desk.app.test_client().get(f"/api/v1{url}").status_code == 401
    assert desk.inbox.browser.get(f"/api/v1{url}").status_code == 401


def test_a_part_of_a_file(desk: ApiDesk, url: str) -> None:
    answer = desk.program.call("GET", url, headers={"Range": "bytes=0-3"})
    assert (answer.status_code, answer.data) == (206, b"%PDF")
    assert desk.program.call("GET", url, headers={"Range": "bytes=900-"}).status_code == 416


def test_a_file_the_provider_took_back_is_gone(desk: ApiDesk, url: str) -> None:
    toys.change_row(Attachment, toys.only(Attachment).id, state=AttachmentState.EXPIRED, storage_key=None)
    status, error = desk.program.refused("GET", url)
    assert (status, error["code"]) == (410, "file_gone")


def test_a_file_nobody_has_is_not_there(desk: ApiDesk) -> None:
    status, error = desk.program.refused("GET", "/attachments/99")
    assert (status, error["code"]) == (404, "attachment_not_found")
