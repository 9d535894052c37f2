"""Sharing to Lobby: what the manifest promises, and the pages for what can't be shared."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from werkzeug.formparser import FormDataParser

from host.core import db
from tests.inbox.desks import Desk, open_desk


@pytest.fixture
def desk(database: db.Database, data: Path) -> Desk:
    return open_desk(data)


def test_the_manifest_names_where_other_apps_share_to(desk: Desk) -> None:
    target = desk.app.test_client().get("/manifest.webmanifest").get_json(force=True)["share_target"]
    assert (target["action"], target["method"]) == ("/share", "POST")
    assert target["enctype"] == "multipart/form-data"
    assert [one["name"] for one in target["params"]["files"]] == ["files"]


def test_without_the_service_worker_nothing_is_taken(desk: Desk) -> None:
    stranger = desk.app.test_client()
    body = {"text": "Is this right?", "files": (io.BytesIO(b"x" * 1_000), "mug.jpg")}
    answer = stranger.post("/share", data=body, content_type="multipart/form-data")
    assert answer.status_code == 400
    assert "Open it once, then share again." in answer.text
    assert "Is this right?" not in answer.text


def test_nobody_reads_what_is_not_taken(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FormDataParser, "parse", None)
    headers = {"Content-Length": str(90 * 1024 * 1024)}
    answer = desk.app.test_client().post(
        "/share", data=b"--x", content_type="multipart/form-data; boundary=x", headers=headers
    )
    assert answer.status_code == 400
    assert "Open it once, then share again." in answer.text


def test_a_device_without_room_says_so(desk: Desk) -> None:
    answer = desk.app.test_client().get("/share")
    assert answer.status_code == 200
    assert "has no room for what you shared" in answer.text
