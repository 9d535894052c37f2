"""The half of docs/messages.md about receiving, made of the list of kinds and of the golden files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from tests.instagram.receiving import KINDS, Kind

INTRODUCTION = (
    "*The agent sees*: the name and text of the entry, as a screen reader reads them. *The API returns*:",
    "every entry has [one form](api.md); the column names its `kind` and the fields that differ from those",
    "of a text. *Opens*: whether the reply window starts",
    "again. An entry that comes late is sorted by its own time, and the reply window counts from that",
    "time. An entry that comes twice is stored once, by Meta's id or else by a hash of the event.",
)
COLUMNS = (
    *("what Instagram sends", "the agent sees", "the API returns", "opens"),
    *("target not here", "late or out of order"),
)
ENDING = (
    "Edits and unsends apply to messages of the team in the same way. An event with missing, empty or",
    "unknown fields, or fields of another type, becomes an entry, or is ignored with the reason, or is",
    "listed with the reason among the received events that could not be read. An event about a message of",
    "another customer is ignored. Each row is a file in `tests/instagram/golden/receive/`: the webhooks",
    "themselves, the rows they leave, and the whole answer of the API.",
    "",
    "For a product Meta sends its id and sometimes a title, and the desk shows these. Its name, price and",
    "picture are looked up where the account is connected through its Page with a token that has",
    "`catalog_management`. Connecting does not ask for that permission. The same goes for products the",
    "team sends from the desk; where they are not looked up, the id is shown, and why.",
)
CLOCK = re.compile(r", \d{1,2}:\d{2}: ?")
CLOCK_IN_WORDS = re.compile(r",? \d{1,2}:\d{2}")


def render(golden: Mapping[str, dict[str, Any]]) -> str:
    """Return the section in Markdown, without its markers."""
    lines = ["## What is received", "", *INTRODUCTION, ""]
    lines += [f"| {' | '.join(COLUMNS)} |", "|---" * len(COLUMNS) + "|"]
    for kind in KINDS:
        lines.append("| " + " | ".join(_row(kind, golden[kind.name])) + " |")
    lines += ["", *ENDING]
    return "\n".join(lines)


def _row(kind: Kind, golden: dict[str, Any]) -> list[str]:
    before = _before(golden)
    seen = golden["seen"][before:] or golden["seen"][-1:]
    told = golden["api"][before:] or golden["api"][-1:]
    return [
        kind.about,
        "<br>".join(_escaped(_words(entry)) for entry in seen) or "nothing",
        "<br>".join(map(_told, told)) or "nothing",
        "yes" if _opens(golden) else "no",
        kind.unknown,
        kind.late,
    ]


def _before(golden: dict[str, Any]) -> int:
    """Return how many entries there were before the last webhook came; all of them where it made none."""
    entries, webhooks = len(golden["seen"]), len(golden["payloads"])
    return webhooks - 1 if entries == webhooks else entries


def _words(entry: str) -> str:
    """Return an entry without who said it and when."""
    named = CLOCK.split(entry, maxsplit=1)[-1].strip() if CLOCK.search(entry) else entry
    label = CLOCK.split(entry, maxsplit=1)[0].partition(": ")[2] if CLOCK.search(entry) else ""
    words = CLOCK_IN_WORDS.sub("", named)
    return ": ".join(part for part in (label, words) if part) if label else named.rstrip(", ")


def _told(message: dict[str, Any]) -> str:
    found = [f"`{message['kind']}`"]
    if message["direction"] == "outbound":
        found.append(f"outbound, {message['state']}")
    found += [f"`content.{name}`" for name in message["content"] if name != "raw"]
    if message["attachments"]:
        found.append(f"{len(message['attachments'])} in `attachments`")
    for name in ("reactions", "replyTo", "editedAt", "unsentAt"):
        if message[name]:
            found.append(f"`{name}`")
    return ", ".join(found)


def _opens(golden: dict[str, Any]) -> bool:
    changes = golden["changes"]
    return any(one["change"] == "MessageReceived" and one.get("opens_window", True) for one in changes)


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")
