"""WhatsApp: an agent reads each thing that Meta can send as what it is, from the webhook to the page."""

from __future__ import annotations

import itertools
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lxml.html
import pytest
import sqlalchemy as sa

from host.core import db
from host.models.inbox import Conversation
from host.models.notifications import Notification
from host.models.queue import InboundEvent
from sandbox.whatsapp import control, files, play, seed
from sandbox.world import WHATSAPP_FIELDS
from tests.sandbox.both import Both, connected

pytestmark = pytest.mark.slow
ROWS: list[dict[str, Any]] = tomllib.loads(Path(__file__).with_name("agent_reads.toml").read_text())["row"]
PEOPLE = itertools.count(15550300001)
PICTURE = {"type": "image", "image": {"link": "http://x.example/p.png"}}
SALE = {
    "name": "spring_sale",
    "language": {"code": "en"},
    "components": [
        {"type": "header", "parameters": [PICTURE]},
        {"type": "body", "parameters": [{"type": "text", "text": "Uma"}]},
        {"type": "button", "sub_type": "url", "index": 2, "parameters": [{"type": "text", "text": "s"}]},
    ],
}
NOT_READ = (
    './/*[contains(@class,"msg-actions") or contains(@class,"avatar") or self::script or self::svg'
    " or self::time or self::dialog or self::template]"
)


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    for made in connected(tmp_path_factory.mktemp("desk")):
        # An owner may select more fields at Meta than connecting does.
        made.cloud.meta.control("PATCH", f"apps/{seed.APP_ID}", {"fields": list(WHATSAPP_FIELDS)})
        yield made


def name(row: dict[str, Any]) -> str:
    return " ".join([row["kind"], *map(str, row.get("args", {}).values())])


def test_every_kind_has_a_row() -> None:
    assert {row["kind"] for row in ROWS} == {*play.KINDS, "status"}


def test_every_status_has_a_row() -> None:
    assert {row["args"]["status"] for row in ROWS if row["kind"] == "status"} == set(control.STATUSES)


@pytest.mark.parametrize("row", ROWS, ids=name)
def test_what_an_agent_reads(both: Both, row: dict[str, Any]) -> None:
    expected = {one: told for one, told in row.items() if one not in {"kind", "args", "before", "person"}}
    assert found(both, row) == expected


def found(both: Both, row: dict[str, Any]) -> dict[str, Any]:
    """Return what an agent reads once the thing of *row* has happened; *row* has the names."""
    who = str(next(PEOPLE))
    person = {"wa_id": who, "name": "Uma K.", "user_id": f"US.{who}", **row.get("person", {})}
    both.cloud.control("POST", "customers", person, 201)
    for step in row.get("before", []):
        act(both, who, **step)
    before, last, notices = seen(both), newest_event(), noticed()
    both.cloud.meta.control("POST", "clock", {"advance": 1})  # Meta's times are whole seconds
    act(both, who, row["kind"], **row.get("args", {}))
    both.cloud.meta.control("POST", "clock", {"advance": -1})
    after = seen(both)
    if any(told := not_applied(last)):
        assert after == before
        return told
    told = {"noticed": noticed()[-1]} if noticed() != notices else {}
    if "thread" not in row and after == before:
        return told
    id_ = max(after)
    inbox = f"/w/{both.desk.workspace_id}/inbox"
    with db.read() as session:
        status = session.get_one(Conversation, id_).status
    listed = lxml.html.fromstring(both.desk.get(f"{inbox}?status={status}").text)
    line = listed.xpath(f'//li[@data-row="{id_}"]//*[contains(@class, "conv-text")]')[0]
    shown = lxml.html.fromstring(both.desk.get(f"{inbox}/{id_}").text)
    entry = max(shown.xpath("//li[@data-message]"), key=lambda one: int(one.get("data-message")))
    by = (entry.get("aria-label") or "").rpartition(", ")[0]
    unread = after[id_][0] - before.get(id_, (0,))[0]
    read = {"list": words(line), "thread": words(entry), "who": by}
    return told | {one: said.replace(who, "NUMBER") for one, said in read.items()} | {"unread": unread}


def act(both: Both, who: str, kind: str, **args: Any) -> None:
    person = next(
        one for one in both.cloud.meta.control("GET", "whatsapp")["customers"] if one["wa_id"] == who
    )
    contact = person["user_id"] if person["hides_number"] else who
    if kind == "ours":
        both.reply(args.pop("text"), contact, **args)
    elif kind == "our voice message":
        both.reply(customer=contact, files=[("note.ogg", files.voice())])
    elif kind == "template of another program":
        both.cloud.meta.control("PATCH", "settings", {"fetch_media": False})
        both.cloud.sent("template", SALE, to=who)
        both.settle()
    elif kind == "status":
        ours = [one["id"] for one in both.chat(who) if not one["inbound"]]
        both.cloud.control("POST", "status", {"mid": ours[-1], **args}, 201)
        both.settle()
    else:
        both.act(kind, who, **args)


def noticed() -> list[str]:
    """Return what the owner was told of the account, in order."""
    with db.read() as session:
        rows = session.scalars(sa.select(Notification).order_by(Notification.id))
        return [row.sentence % row.details for row in rows]


def seen(both: Both) -> dict[int, tuple[Any, ...]]:
    with db.read() as session:
        rows = session.scalars(sa.select(Conversation))
        return {row.id: (row.unread_count, row.last_preview, row.last_message_at) for row in rows}


def newest_event() -> int:
    with db.read() as session:
        return session.scalar(sa.select(sa.func.max(InboundEvent.id))) or 0


def not_applied(since: int) -> dict[str, str]:
    """Return why the newest event since *since* changed nothing; empty if it was applied."""
    query = sa.select(InboundEvent).where(InboundEvent.id > since).order_by(InboundEvent.id.desc()).limit(1)
    with db.read() as session:
        newest = session.scalar(query)
        named = None if newest is None else {"ignored": "ignored", "dead": "set_aside"}.get(newest.state)
        return {named: newest.reason or ""} if named else {}


def words(element: Any) -> str:
    """Return the text of *element* as one line, with a bar where another element begins."""
    for one in element.xpath(NOT_READ):
        one.drop_tree()
    parts = (" ".join(part.split()) for part in element.itertext())
    return re.sub(r"\b\d\d:\d\d\b", "TIME", " | ".join(filter(None, parts)))
