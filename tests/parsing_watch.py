"""Notice what is parsed inside a write, in every quick test.

The rule: **inside a write, Lobby parses only what it encoded itself.** What a person or a program wrote (a
form, the body of a request, an answer of a program or a provider, a file, a mail) is parsed before the write
begins, and its function gets values. On SQLite a write holds the one lock of the desk, on servers locks of
rows, so a text that takes long to parse would stop others.

Lobby's own is what a column holds: a JSON column that SQLAlchemy decodes, and the text or bytes that
:data:`OWN` names, each with what it is. A value that somebody wrote and Lobby stored as it came is not.
"""

from __future__ import annotations

import ast
import csv
import email.feedparser
import json
import sys
import sysconfig
import tomllib
import traceback
import xml.etree.ElementTree as ET
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from types import FrameType
from typing import Any

import icalendar.parser
import markdown_it
import msgspec
import nh3
import pytest
import werkzeug.formparser
from PIL import Image

from host.addons.package import archive
from host.core import db

ROOT = Path(__file__).resolve().parents[1]
PARSERS: tuple[tuple[Any, str], ...] = (
    (ast, "parse"),
    (csv, "reader"),
    (email.feedparser.FeedParser, "feed"),
    (HTMLParser, "feed"),
    (Image, "open"),
    (json, "loads"),
    (markdown_it.MarkdownIt, "parse"),
    (msgspec.json, "decode"),
    (msgspec.msgpack, "decode"),
    (nh3, "clean"),
    (tomllib, "loads"),
    (werkzeug.formparser.FormDataParser, "parse"),
    (ET, "fromstring"),
    (zipfile.ZipFile, "__init__"),
    (icalendar.parser.Contentlines, "from_ical"),
    (archive, "inspect"),
    (archive, "extract"),
)
OWN = {
    "host/addons/running/channel_names.py:remembered": "a channel's name and mark, in desk_settings",
    "host/addons/migrating/apart.py:_ask": "the answer of Lobby's own child process",
    "host/addons/migrating/plan.py:_facts": "the migrations of an addon that comes with Lobby",
    "host/assistants/assistants.py:plain": "an assistant, encoded in the same line",
    "host/channels/sign_in_attempts.py:candidates_of": "accounts to choose from, sealed by offer()",
    "host/events/reading.py:facts": "the facts of an event in the event log",
    "host/inbox/apply/bounces.py:note_kept": "the mark of a bounce that came before its message",
    "host/inbox/kept_drafts/content.py:read": "a draft, encoded by stored()",
    "host/inbox/sendable.py:_approved": "a template's values, encoded in the same line",
    "host/live/events.py:narrowed": "the ids of a live event",
    "host/live/events.py:_event": "the facts of an event in the event log",
    "host/reports/counting.py:_first_teams": "the facts of an event in the event log",
    "host/rules/body.py:plain": "a rule, encoded in the same line",
    "host/rules/evaluation.py:_body": "a rule, encoded by its JSON column",
    "host/sdk/_forms/values.py:entered_value": "a setting of an addon, encoded when it was saved",
    "host/sequences/body.py:plain": "a sequence, encoded in the same line",
    "host/sequences/runner.py:body_in": "a sequence, encoded by its JSON column",
    "host/webhooks/erasing.py:_erased": "the body of an event, encoded for an endpoint",
    "lobby_mail/mailbox_card.py:asked": "the settings of a mailbox, checked and encoded",
    "lobby_mail/models.py:further": "names of folders",
    "lobby_mail/ownership.py:aliases_of": "addresses of a mailbox",
    "lobby_mail/round_trip.py:found_in": "what a check of a mailbox found",
    "oauth/apps.py:_keeps": "the details of an app, checked and encoded",
    "oauth/apps.py:app_of": "the details of an app, checked and encoded",
    "oauth/apps.py:read": "the details of an app, checked and encoded",
    "oauth/tokens.py:unpacked": "tokens, packed and sealed",
}
"""Places that decode what Lobby encoded, each with what it is: ``file:function``."""

_LIBRARIES = (sysconfig.get_path("stdlib"), sysconfig.get_path("purelib"), "<frozen")
_THROUGH = ("host/sdk/strictjson.py", "host/core/parsing/toml.py")
"""Modules that parse for others."""
_APART = "host/addons/migrating/apart_child.py"
"""What a child process does, and only tests in their own, while a migration of an addon holds the lock."""

found: list[str] = []
"""What was parsed inside a write since the last look, each with its stack."""


@contextmanager
def watching() -> Iterator[None]:
    """Note in :data:`found` each call of a parser inside a write."""
    with pytest.MonkeyPatch.context() as patch:
        for holder, name in PARSERS:
            patch.setattr(holder, name, _noting(getattr(holder, name), f"{holder.__name__}.{name}"))
        yield


def _noting(parse: Callable[..., Any], name: str) -> Callable[..., Any]:
    def parse_and_note(*args: Any, **kwargs: Any) -> Any:
        if db._current is not None and db._current.is_inside:
            place = _place(sys._getframe(1))
            if place is not None and place not in OWN:
                stack = "".join(traceback.format_stack(sys._getframe(1), limit=12))
                found.append(f"{name} was called inside a write by {place}:\n{stack}")
        return parse(*args, **kwargs)

    return parse_and_note


def _place(frame: FrameType | None) -> str | None:
    """Return the function of Lobby or of an addon that parses.

    None for a test, for a JSON column, and for a traceback in the log.
    """
    if frame is not None and frame.f_globals.get("__name__", "").startswith(
        ("sqlalchemy.", "psycopg.", "traceback")
    ):
        return None
    found = None
    while frame is not None:
        file = frame.f_code.co_filename
        if not file.startswith(_LIBRARIES) and (place := _name(file)) not in _THROUGH:
            if found is None:
                found = f"{place}:{frame.f_code.co_name}"
            if place == _APART:
                return None
        frame = frame.f_back
    return None if found is None or found.startswith("tests/") else found


@cache
def _name(file: str) -> str:
    """Return a file's path in this repository, or the last two parts of one of an addon."""
    path = Path(file)
    if path.is_relative_to(ROOT) and not path.is_relative_to(ROOT / "addons"):
        return str(path.relative_to(ROOT))
    if "tests" in path.parts[-2:]:
        return f"tests/{path.name}"
    return "/".join(path.parts[-2:])
