"""What an addon, a provider or a person wrote is text on every page, whatever it says."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import db
from host.models.inbox import Contact
from host.models.users import User
from host.sdk.panels import Button, Entry, Facts, Paragraph
from host.sdk.reports import Counts, Number
from tests.pins.filled import FilledDesk, filled_desk

HOSTILE = "\"><img src=x onerror='%s'>"
WORDS = {"title", "label", "help", "hint", "summary", "about", "description", "publisher", "placeholder"}
"""Fields of contributions and manifests that a person reads."""
COLUMNS = {
    *("text", "name", "username", "handle", "title", "sentence", "next_step", "subject", "last_preview"),
    *("about", "reason", "state_reason", "blocked_reason", "author", "words", "greeting", "away", "owner"),
    *("signature_problem", "phone"),
}
"""Columns that hold what somebody wrote."""
KEPT = {
    *("addons", "addon_releases", "addon_settings", "addon_publishers", "consumers", "counters"),
    *("desk_settings", "installation_values", "event_bodies", "inbound_events", "refused_deliveries"),
    *("reactions", "second_looks", "endpoints", "missed_messages", "sequence_runs", "automation_runs"),
    *("lanes", "campaign_people", "assistant_turns", "sequence_answers"),
}
"""Tables in which such a column holds a key of Lobby's own."""
ERROR = {"code": HOSTILE, "raw": HOSTILE, "sentence": HOSTILE, "next_step": HOSTILE, "cause": HOSTILE}


class Elements(HTMLParser):
    """Collects pictures that are none of Lobby's."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if any(name.startswith("on") for name, _value in attrs) or dict(attrs).get("src") == "x":
            self.found.append(self.get_starttag_text() or tag)


def elements(html: str) -> list[str]:
    """Return what *html* has of the elements that were written as a text."""
    parser = Elements()
    parser.feed(html)
    return parser.found


def poisoned(thing: Any) -> Any:
    """Return *thing*, a contribution or a manifest, with other words for people."""
    if isinstance(thing, Mapping):
        return MappingProxyType({name: poisoned(one) for name, one in thing.items()})
    if isinstance(thing, tuple) and type(thing) is tuple:
        if len(thing) == 2 and all(
            isinstance(one, str) for one in thing
        ):  # a choice: its value and its words
            return thing[0], HOSTILE % thing[1]
        return tuple(map(poisoned, thing))
    if isinstance(thing, msgspec.Struct):
        names, replace = thing.__struct_fields__, msgspec.structs.replace
    elif dataclasses.is_dataclass(thing) and not isinstance(thing, type):
        names, replace = tuple(one.name for one in dataclasses.fields(thing) if one.init), dataclasses.replace
    else:
        return thing
    new = {}
    for name in names:
        value = getattr(thing, name)
        if name in WORDS and value and not callable(value):
            new[name] = HOSTILE % "%d"
        elif name in {"choices", "fields", "forms", "workspace", "desk", "actions", "ways", "steps"}:
            new[name] = poisoned(value)
    return replace(thing, **new) if new else thing


def poison_addons(desk: FilledDesk, patch: pytest.MonkeyPatch) -> None:
    generation = desk.app.extensions["lobby.generation"]
    directory = generation.directory
    for kind in ("cards", "conditions", "actions", "tools", "panels", "composer_actions", "report_sections"):
        setattr(directory, f"_{kind}", poisoned(getattr(directory, f"_{kind}")))
    blocks = [
        Facts([(HOSTILE, HOSTILE)]),
        Paragraph(HOSTILE),
        Entry(HOSTILE, detail=HOSTILE, badge=HOSTILE, buttons=[Button(HOSTILE, "insert", HOSTILE)]),
    ]
    numbers = [Number(HOSTILE, 1), Counts(HOSTILE, [(HOSTILE, 1)])]
    directory._panels = {
        name: dataclasses.replace(one, render=lambda _customer: blocks)
        for name, one in directory._panels.items()
    }
    directory._report_sections = {
        name: dataclasses.replace(one, read=lambda _query: numbers)
        for name, one in directory._report_sections.items()
    }
    manifests = {
        slug: msgspec.structs.replace(poisoned(one), name=HOSTILE)
        for slug, one in generation.manifests.items()
    }
    object.__setattr__(generation, "manifests", manifests)
    object.__setattr__(generation, "attention", dict.fromkeys(manifests, (HOSTILE,)))
    for adapter in directory.adapters:
        patch.setattr(type(adapter), "label", HOSTILE)


def poison_rows() -> int:
    """Write what is hostile wherever somebody's words are stored; return in how many columns."""
    count = 0
    for table in Contact.metadata.sorted_tables:
        for column in table.c:
            if not isinstance(column.type, sa.String) or column.name not in COLUMNS or table.name in KEPT:
                continue
            try:
                said = sa.literal(HOSTILE) + sa.cast(next(iter(table.primary_key)), sa.String)
                execute(sa.update(table).where(column.is_not(None)).values({column: said}))
            except sa.exc.IntegrityError:
                continue
            count += 1
    messages = Contact.metadata.tables["messages"]
    sent = messages.c.direction == "outbound"
    execute(sa.update(messages).where(sent).values(state="failed", error=ERROR))
    return count


def execute(statement: sa.Executable) -> None:
    """Execute *statement* in a transaction of its own."""

    def use_case(session: Session) -> None:
        session.execute(statement)

    db.write(use_case)


def written(answer: Any) -> Iterator[str]:
    """Yield the HTML of an answer, also of one that brings it in JSON."""
    if answer.mimetype == "text/html":
        yield answer.text
    elif answer.mimetype == "application/json":
        left = [answer.json]
        while left:
            value = left.pop()
            if isinstance(value, dict):
                left += value.values()
            elif isinstance(value, list):
                left += value
            elif isinstance(value, str) and value.lstrip().startswith("<"):
                yield value


@pytest.fixture(scope="module")
def desk(migrated_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FilledDesk]:
    """A desk on which everybody writes markup where only text belongs."""
    with (
        filled_desk(migrated_file, tmp_path_factory.mktemp("hostile")) as desk,
        pytest.MonkeyPatch.context() as patch,
    ):
        poison_addons(desk, patch)
        assert poison_rows() > 50
        yield desk


@pytest.mark.slow
@pytest.mark.parametrize("language", ["en", "de"])
def test_what_others_wrote_is_text_on_every_page(desk: FilledDesk, language: str) -> None:
    execute(sa.update(User).values(locale=language))
    directory = desk.app.extensions["lobby.generation"].directory
    beside = "/w/{workspace_id}/inbox/{conversation_id}/panels/".format(**desk.ids)
    sections = "/w/{workspace_id}/reports/sections/".format(**desk.ids)
    found, shown = {}, 0
    for address in (
        *(address for _rule, address in desk.pages()),
        *(beside + name for name in directory._panels),
        *(sections + name for name in directory._report_sections),
        *(f"/admin/addons/{slug}" for slug in ("email", "shop", "satisfaction", "telegram", "whatsapp")),
    ):
        answer, _statements = desk.open("admin" if address.startswith("/admin") else "owner", address)
        assert answer.status_code < 500, address
        for html in written(answer):
            shown += "onerror" in html
            if wrong := elements(html):
                found[address] = wrong[:3]
    assert not found, "\n".join(f"{address}: {wrong}" for address, wrong in found.items())
    assert shown > 100, "too few pages show what was written"


@pytest.mark.parametrize(
    ("html", "count"),
    [
        ('<p title="&#34;&gt;&lt;img src=x onerror=1&gt;">', 0),
        ('<p title=""><img src=x>', 1),
        ("<b onclick=1>", 1),
    ],
)
def test_the_check_finds_elements(html: str, count: int) -> None:
    assert len(elements(html)) == count
