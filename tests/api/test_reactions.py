"""The team's reactions, by the API."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from host.core import db
from host.models.inbox import Actor, Reaction
from tests.api.channels import Everything
from tests.api.desks import ApiDesk, open_api_desk
from tests.inbox import toys


@pytest.fixture
def desk(database: db.Database, data: Path) -> ApiDesk:
    opened = open_api_desk(data, Everything())
    opened.scene.said("ana", "Ana", "Look!", opened.scene.ago(minutes=5))
    return opened


def message(desk: ApiDesk) -> dict[str, Any]:
    path = f"/conversations/{desk.scene.conversation('ana')}/messages"
    return dict(desk.program.get(path)["data"][0])


def test_a_reaction_is_put_changed_and_taken_away(desk: ApiDesk) -> None:
    path = f"/messages/{message(desk)['id']}/reactions"
    answer = desk.program.send("POST", path, {"emoji": "❤️"})
    (mine,) = answer["reactions"]
    assert mine == {"actor": "team", "emoji": "❤️", "name": "", "author": None, "state": "queued"}
    again = desk.program.send("POST", path, {"emoji": "❤️"})
    assert again == answer
    desk.program.send("POST", path, {"emoji": "👍🏽"})
    assert [one["emoji"] for one in message(desk)["reactions"]] == ["👍🏽"]
    for _time in range(2):
        removed = desk.program.call("DELETE", path)
        assert (removed.status_code, removed.data) == (204, b"")
    assert message(desk)["reactions"] == []
    assert len(toys.everything(Reaction)) == 1


def test_the_customers_reaction_is_shown_and_stays(desk: ApiDesk) -> None:
    shown = message(desk)
    row = Reaction(
        workspace_id=desk.workspace,
        conversation_id=shown["conversationId"],
        account_id=desk.inbox.account.id,
        external_id=shown["externalId"],
        message_id=shown["id"],
        actor=Actor.CUSTOMER,
        emoji="😮",
        name="wow",
        at=desk.scene.now,
    )
    db.write(lambda session: session.add(row))
    assert message(desk)["reactions"] == [
        {"actor": "customer", "emoji": "😮", "name": "wow", "author": None, "state": None}
    ]
    desk.program.call("DELETE", f"/messages/{shown['id']}/reactions")
    assert len(message(desk)["reactions"]) == 1


@pytest.mark.parametrize(
    ("emoji", "status"), [("", 400), ("   ", 400), ("love", 422), ("❤️❤️", 422), ("x" * 65, 400)]
)
def test_what_is_no_emoji_is_refused(desk: ApiDesk, emoji: str, status: int) -> None:
    got = desk.program.refused("POST", f"/messages/{message(desk)['id']}/reactions", {"emoji": emoji})
    assert (got[0], got[1]["field"]) == (status, "emoji")
    assert toys.everything(Reaction) == []


def test_a_channel_without_reactions_says_so(database: db.Database, data: Path) -> None:
    plain = open_api_desk(data)
    plain.scene.said("ana", "Ana", "Look!", plain.scene.ago(minutes=5))
    path = f"/messages/{message(plain)['id']}/reactions"
    assert plain.program.refused("POST", path, {"emoji": "❤️"})[1]["code"] == "reactions_not_supported"


def test_a_note_and_a_late_message_take_none(desk: ApiDesk) -> None:
    notes = f"/conversations/{desk.scene.conversation('ana')}/notes"
    note = desk.program.send("POST", notes, {"text": "Paid"}, 201)
    assert desk.program.refused("POST", f"/messages/{note['id']}/reactions", {"emoji": "❤️"})[0] == 404
    desk.scene.said("late", "Late", "Look!", desk.scene.ago(hours=30))
    path = f"/conversations/{desk.scene.conversation('late')}/messages"
    late = desk.program.get(path)["data"][0]["id"]
    got = desk.program.refused("POST", f"/messages/{late}/reactions", {"emoji": "❤️"})
    assert got[1]["code"] == "window_closed"
