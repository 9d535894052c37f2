"""Programs send a text with a file as one message, and answers that can be told apart."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import pytest

from host.api.capabilities import declared
from host.core import db
from host.core.backports.values import replace
from host.models.queue import OutboxEntry
from host.sdk.capabilities import ButtonsLimits, Capabilities, CaptionLimits
from host.sdk.messages import MessageKind
from tests.api.channels import Everything
from tests.api.desks import ApiDesk, open_api_desk
from tests.api.test_sending import PNG, refused, send, upload
from tests.inbox import toys


class Captions(Everything):
    """A toy that has captions, and wants unique buttons."""

    capabilities: ClassVar[Capabilities] = replace(
        Everything.capabilities,
        captions=CaptionLimits(10, frozenset({MessageKind.IMAGE})),
        buttons=ButtonsLimits(640, 3, 20, unique=True),
    )


@pytest.fixture
def desk(database: db.Database, data: Path) -> ApiDesk:
    opened = open_api_desk(data, Captions())
    opened.scene.said("ana", "Ana", "Is it in stock?", opened.scene.ago(minutes=5))
    return opened


def test_a_text_with_a_picture_is_one_message(desk: ApiDesk) -> None:
    (message,) = send(desk, kind="text", text="Here", files=[{"upload": upload(desk, PNG, "a.png")}])
    assert (message["kind"], message["text"], len(message["attachments"])) == ("image", "Here", 1)
    assert len(toys.everything(OutboxEntry)) == 1


@pytest.mark.parametrize("overflow", ["split", "truncate", "reject"])
def test_a_caption_that_is_too_long_names_field_and_limit(desk: ApiDesk, overflow: str) -> None:
    files = [{"upload": upload(desk, PNG, "a.png")}]
    status, error = refused(desk, kind="text", text="x" * 11, files=files, overflow=overflow)
    assert (status, error["code"], error["field"], error["limit"]) == (400, "too_long", "text", 10)
    send(desk, kind="text", text="x" * 10, files=files)  # the file is still there


@pytest.mark.parametrize(
    ("buttons", "field"),
    [
        ([{"title": "Yes"}, {"title": "yes", "payload": "y"}], "buttons[1].title"),
        ([{"title": "Yes", "payload": "a"}, {"title": "No", "payload": "a"}], "buttons[1].payload"),
    ],
)
def test_equal_buttons_are_named(desk: ApiDesk, buttons: list[dict[str, Any]], field: str) -> None:
    status, error = refused(desk, kind="buttons", text="Shall I?", buttons=buttons)
    assert (status, error["code"], error["field"]) == (422, "not_unique", field)


def test_the_limits_are_told() -> None:
    told = declared(Captions.capabilities)
    assert told.captions is not None
    assert (told.captions.length, told.captions.kinds) == (10, ["image"])
    assert told.buttons is not None
    assert told.buttons.unique
    assert declared(Capabilities()).captions is None
