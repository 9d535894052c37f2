"""docs/api.md: its commands are run against a desk that listens, its examples look like real answers."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, ClassVar

import pytest
from flask import Flask

from host.api.http.declare import BASE
from host.api.http.declare import routes as api_routes
from host.api.http.openapi import document
from host.core import db
from host.core.backports.values import replace
from host.models.inbox import Attachment
from host.sdk.channel import AccountRef, ApprovedPage, Capabilities
from host.sdk.http import Client, Response
from host.sdk.messages import InboundAttachment, MessageKind
from tests.api.channels import Everything
from tests.api.desks import ApiDesk, open_api_desk
from tests.conftest import missing
from tests.helpers import LiveServer
from tests.inbox import toys
from tests.inbox.approving import ORDER
from tests.media import samples

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "api.md"
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", GUIDE.read_text(), re.MULTILINE | re.DOTALL)


class Approved(Everything):
    """The toy that takes everything, with a template that its provider approved."""

    capabilities: ClassVar[Capabilities] = replace(Everything.capabilities, approved_templates=True)

    def approved_templates(self, account: AccountRef, after: str) -> ApprovedPage:
        return ApprovedPage([ORDER])


@pytest.fixture
def desk(database: db.Database, data: Path) -> ApiDesk:
    opened = open_api_desk(data, Approved())
    picture = InboundAttachment(MessageKind.IMAGE, url="https://cdn.example/mug.jpg")
    opened.scene.said("ana", "Ana", "Is it in stock?", opened.scene.ago(minutes=9))
    opened.scene.sent("ana", "Yes", opened.scene.ago(minutes=8))
    at = opened.scene.ago(minutes=5)
    opened.scene.said("ana", "Ana", "", at, kind=MessageKind.IMAGE, attachments=(picture,))
    return opened


@pytest.fixture
def app(desk: ApiDesk) -> Flask:
    return desk.app


@pytest.mark.slow
def test_every_command_of_the_guide_works(
    desk: ApiDesk, live_server: LiveServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for program in ("bash", "curl", "jq"):
        if shutil.which(program) is None:
            missing(program)
    mug = samples.picture("JPEG")
    (tmp_path / "picture.jpg").write_bytes(mug)
    asked: list[str] = []

    def there(_client: Client, _method: str, url: str, **_: Any) -> Response:
        asked.append(url)
        return Response(200, {}, mug)

    monkeypatch.setattr(Client, "request", there)
    first, *commands = [text for kind, text in BLOCKS if kind == "sh"]
    assert "export KEY=" in first
    script = "set -euo pipefail\n" + "\n".join(commands)
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=tmp_path,
        env={
            "PATH": "/usr/bin:/bin",
            "LOBBY": live_server.url(BASE),
            "KEY": desk.program.token,
            "LC_ALL": "C.UTF-8",
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    assert asked == ["https://example.com/mug.jpg"]
    texts = toys.texts()
    assert texts.count("Your parcel is on its way.") == 1
    assert "It ships tomorrow." in texts
    assert len(toys.everything(Attachment)) == 3


def test_the_examples_have_the_shape_of_real_answers(desk: ApiDesk) -> None:
    message, refusal = [json.loads(text) for kind, text in BLOCKS if kind == "json"]
    page = desk.program.get(f"/conversations/{desk.scene.conversation('ana')}/messages")
    real = next(one for one in page["data"] if one["kind"] == "image")
    assert list(message) == list(real)
    assert list(message["attachments"][0]) == list(real["attachments"][0])
    body: dict[str, Any] = {"conversationId": page["data"][0]["conversationId"], "kind": "text"}
    long = {**body, "text": "é" * 700, "overflow": "reject"}
    error = desk.program.refused("POST", "/messages", long)[1]
    assert refusal["error"] | {"request_id": "", "requestId": ""} == error | {
        "request_id": "",
        "requestId": "",
    }


def test_the_guide_names_what_there_is() -> None:
    text = GUIDE.read_text()
    for kind in MessageKind:
        if kind not in {MessageKind.REACTION, MessageKind.EDIT, MessageKind.UNSEND}:
            assert f"`{kind}`" in text, f"docs/api.md does not name the kind {kind}"
    paths = {route.path.split("/")[1] for route in api_routes()}
    for path in paths:
        assert f"/{path}" in text, f"docs/api.md does not name /{path}"


def test_the_guide_names_the_limit_of_ids() -> None:
    schemas = document("https://desk.example.com")["components"]["schemas"]
    (most,) = re.findall(r"up to (\d+) in `conversationIds`", GUIDE.read_text())
    lists = schemas["CreateBulkAction"]["properties"]["conversationIds"]["anyOf"]
    assert int(most) == next(one["maxItems"] for one in lists if "maxItems" in one)


def test_what_moves_to_the_front_while_pages_are_read_is_on_the_first_page_again(desk: ApiDesk) -> None:
    for minutes, name in enumerate(("ben", "cleo"), 10):
        desk.scene.said(name, name.title(), "Hello", desk.scene.ago(minutes=minutes))
    first = desk.reader.get("/conversations", limit=1)
    desk.scene.said("cleo", "Cleo", "Still there?", desk.scene.ago(minutes=1))
    second = desk.reader.get("/conversations", limit=1, cursor=first["next"])
    third = desk.reader.get("/conversations", limit=1, cursor=second["next"]) if second["next"] else None
    named = [page["data"][0]["contact"]["name"] for page in (first, second)]
    assert named == ["Ana", "Ben"]
    assert third is None or third["data"] == []
    assert desk.reader.get("/conversations", limit=1)["data"][0]["contact"]["name"] == "Cleo"
