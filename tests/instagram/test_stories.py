"""The story a customer mentions the account in: its id is asked for once, after the message is here."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from host.core import clock, db, storage
from host.delivery.posts import look_up_due
from host.inbox import erasure
from host.models.inbox import Contact, Message
from host.models.posts import LookUp
from host.sdk.channel import AccountRef
from sandbox import play
from tests.helpers import do
from tests.instagram import golden_receive, world
from tests.instagram.golden_receive import Stage
from tests.instagram.world import ANA, LINK, Addon, Meta


@pytest.fixture
def stage(ig: Addon, account: AccountRef, data: Path, meta: Meta) -> Iterator[Stage]:
    storage.use(storage.FolderStore(data / "attachments"))
    found = golden_receive.set_stage(ig, account, data)
    yield found
    found.journal.stop()


def mentioned(stage: Stage, meta: Meta) -> str:
    """Let a customer mention the account in a story, deliver the webhook, and return the story's id."""
    customer = meta.box.world.customers[ANA]
    play.perform(meta.box, meta.box.world.accounts[customer.igid], customer, "story_mention", {})
    message = meta.box.conversation(customer.igid, ANA).messages[-1]
    assert message.story is not None
    attachments = [{"type": "story_mention", "payload": {"url": LINK}}]
    event = world.item(
        timestamp=int(clock.now().timestamp() * 1000),
        message={"mid": message.mid, "attachments": attachments},
    )
    stage.deliver([world.payload(world.entry(event))])
    return str(message.story["mention"]["id"])


def told(stage: Stage) -> list[tuple[str, Any]]:
    return [(one["event"], one["data"].get("storyId")) for one in stage.posted()]


def asked(meta: Meta) -> int:
    return len(meta.calls("message"))


def rows(model: Any) -> list[Any]:
    with db.read() as session:
        return list(session.scalars(sa.select(model)))


def test_its_id_is_asked_for_once_and_told(stage: Stage, meta: Meta) -> None:
    story_id = mentioned(stage, meta)
    (before,) = rows(Message)
    assert (before.kind, asked(meta), told(stage)) == ("story_mention", 0, []), (
        "the message waits for nothing"
    )
    assert look_up_due(stage.directory) == 1
    (message,) = rows(Message)
    assert message.content["story"] == {"id": story_id, "url": LINK, "asked": True}
    assert told(stage) == [("instagram.story_mention", story_id)]
    assert look_up_due(stage.directory) == 0
    assert (asked(meta), rows(LookUp)) == (1, [])


def test_what_is_kept_to_ask_is_no_word_of_the_customer(stage: Stage, meta: Meta) -> None:
    mentioned(stage, meta)
    (row,) = rows(LookUp)
    assert row.what.keys() == {"mid"}


def test_without_an_answer_it_is_told_without_the_id(stage: Stage, meta: Meta) -> None:
    mentioned(stage, meta)
    meta.fault("message", "error", code=100)
    assert look_up_due(stage.directory) == 1
    assert look_up_due(stage.directory) == 0
    assert told(stage) == [("instagram.story_mention", None)]
    assert asked(meta) == 1


@pytest.mark.parametrize("how", ["erased", "unsent"])
def test_what_is_gone_meanwhile_stays_gone(stage: Stage, meta: Meta, how: str) -> None:
    story_id = mentioned(stage, meta)
    (message,) = rows(Message)
    if how == "erased":
        (contact,) = rows(Contact)
        do(erasure.erase, contact.workspace_id, contact.id)
    else:
        unsent = world.item(message={"mid": message.external_id, "is_deleted": True})
        stage.deliver([world.payload(world.entry(unsent))])
    look_up_due(stage.directory)
    message = next(row for row in rows(Message) if row.id == message.id)
    assert message.unsent_at is not None
    assert story_id not in json.dumps(message.content)
    assert story_id not in json.dumps(stage.posted())
