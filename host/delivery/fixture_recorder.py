"""Turn a received event into an anonymous test fixture.

The shape is kept: keys, types, lengths, kinds of characters, the order of times, and which values are equal.
All texts, names, ids, addresses and tokens are replaced by made-up ones. Only words that occur in the addon's
code (``image``, ``is_deleted``) are kept, because they decide what it does.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import json
import re
import unicodedata
from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from flask_babel import lazy_gettext as _l

from host.core.backports.values import replace
from host.core.errors import ConflictError
from host.models.queue import InboundEvent
from host.sdk.channel import ChannelAdapter
from host.sdk.webhooks import Envelope
from host.web.languages import gettext as _

TRIES = 20
LONG = 4
"""No word of the event with at least this many letters is kept."""
KEPT_NUMBERS = 10_000
"""Smaller numbers are kept: they are counts, versions, positions."""

_WORD = re.compile(r"[^\W_]+")
_KEY = re.compile(r"[A-Za-z_][A-Za-z_-]{0,63}")
_VOCABULARY = re.compile(r"[A-Za-z][A-Za-z_.-]{1,39}")
_URL = re.compile(r"(https?)://\S*")
_HOST = "media.example"
_OWN_WORDS = frozenset({"http", "https", "media", "example"})
"""Words of made-up addresses."""
_LETTERS = ("abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789")
_OTHERS = {1: "?", 2: "éüñß", 3: "あいうえ", 4: "𠀀𠀁𠀂𠀃"}
_SIGNS = {1: "?", 2: "©®", 3: "☀☁☂☃", 4: "😀😺🎈🍏"}
_SECONDS, _MILLISECONDS = range(10**9, 10**10), range(10**12, 10**13)
_EPOCH = 1_735_689_600
"""The first time of every fixture: 2025-01-01, in seconds."""
_BEGINNING = datetime.fromtimestamp(_EPOCH, UTC)


class NotRecordableError(ConflictError):
    """The event cannot be made a fixture."""

    code = "not_recordable"
    title = _l("This event cannot be turned into a fixture")


def record(event: InboundEvent, adapter: ChannelAdapter | None) -> dict[str, Any]:
    """Return *event* as a fixture: the input of an adapter's ``parse``, and ``becomes``, its result.

    :raises NotRecordableError: if its content was deleted or is not JSON, its addon does not run, or the
        anonymous event would be parsed differently.
    """
    if adapter is None:
        raise NotRecordableError(_("The addon that reads this event is not running."))
    try:
        body = json.loads(event.body or b"")
    except (ValueError, RecursionError):
        raise NotRecordableError(_("Its content was deleted or is not JSON.")) from None
    given = Envelope(
        account_id=None,
        lane="",
        dedupe_key="",
        kind=event.kind,
        body=event.body or b"",
        occurred_at=event.occurred_at,
    )
    becomes = _becomes(adapter, given)
    made = anonymised(body, vocabulary(type(adapter)))
    at = event.occurred_at
    if at is not None:
        at = _BEGINNING + (at - _first(body, at))
    if _becomes(adapter, replace(replace_body(given, made), occurred_at=at)) != becomes:
        raise NotRecordableError(_("An anonymous copy would no longer be read as the same event."))
    return {
        "channel": event.channel,
        "kind": event.kind,
        "occurred_at": None if at is None else at.isoformat(),
        "body": made,
        "becomes": becomes,
    }


def _first(body: Any, default: datetime) -> datetime:
    """Return the first time in *body*, in whole seconds, or *default* if it contains none."""
    seconds = _first_second(body)
    return default if seconds is None else datetime.fromtimestamp(seconds, UTC)


def _first_second(body: Any) -> int | None:
    times = [one for one in _numbers(body) if one in _SECONDS or one in _MILLISECONDS]
    return min((one if one in _SECONDS else one // 1000 for one in times), default=None)


def written(fixture: dict[str, Any]) -> str:
    """Return *fixture* as the text of its file."""
    return json.dumps(fixture, ensure_ascii=False, indent=2) + "\n"


def replace_body(envelope: Envelope, body: Any) -> Envelope:
    """Return *envelope* with *body* as its content."""
    return replace(envelope, body=json.dumps(body, ensure_ascii=False).encode())


def _becomes(adapter: ChannelAdapter, envelope: Envelope) -> list[str]:
    try:
        return [type(change).__name__ for change in adapter.parse(envelope)]
    except Exception as error:  # noqa: BLE001 - an event the adapter stumbles over is what fixtures are for
        return [f"raises {type(error).__name__}"]


@cache
def vocabulary(adapter: type) -> frozenset[str]:
    """Return the words of string literals in the package of *adapter*."""
    found: set[str] = set()
    for path in Path(inspect.getfile(adapter)).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.update([node.value] if _VOCABULARY.fullmatch(node.value) else [])
    return frozenset(found)


def anonymised(value: Any, known: Collection[str]) -> Any:
    """Return JSON of the same shape that keeps only keys, small numbers and *known* words of *value*.

    :raises NotRecordableError: if other text remains after several attempts.
    """
    secret = {
        word.lower() for text in _texts(value, known) for word in _WORD.findall(text) if len(word) >= LONG
    } - _OWN_WORDS
    seconds = _first_second(value)
    first = _EPOCH if seconds is None else seconds
    for attempt in range(TRIES):
        made = _Maker(known, first, str(attempt)).value(value)
        left = " ".join(_texts(made, known)).lower()
        if not any(word in left for word in secret):
            return made
    raise NotRecordableError(_("Some personal data would remain."))


def _texts(value: Any, known: Collection[str]) -> Iterator[str]:
    """Yield the parts of *value* to replace: texts, keys that are not field names, large numbers."""
    if isinstance(value, str):
        if value not in known:
            yield value
    elif isinstance(value, dict):
        for key, one in value.items():
            if not _is_name(key, known):
                yield key
            yield from _texts(one, known)
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one, known)
    elif isinstance(value, int | float) and not isinstance(value, bool) and abs(value) >= KEPT_NUMBERS:
        yield str(value)


def _numbers(value: Any) -> Iterator[int]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from _numbers(one)
    elif isinstance(value, int) and not isinstance(value, bool):
        yield value


def _is_name(key: str, known: Collection[str]) -> bool:
    return key in known or _KEY.fullmatch(key) is not None


class _Maker:
    """Invents values: equal ones for equal input, until the next attempt."""

    def __init__(self, known: Collection[str], first: int, salt: str) -> None:
        self._known = known
        self._first = first
        self._salt = salt

    def value(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {
                key if _is_name(key, self._known) else self._text(key): self.value(one)
                for key, one in value.items()
            }
        if isinstance(value, list):
            return [self.value(one) for one in value]
        if isinstance(value, str):
            return value if value in self._known else self._text(value)
        if isinstance(value, bool) or value is None:
            return value
        return self._number(value)

    def _number(self, value: Any) -> Any:
        if isinstance(value, float):
            return float(self._digits(str(int(value)))) if 1 <= abs(value) < 1e15 else 0.5
        if value in _SECONDS:
            return value - self._first + _EPOCH
        if value in _MILLISECONDS:
            return value - self._first * 1000 + _EPOCH * 1000
        if abs(value) < KEPT_NUMBERS:
            return value
        return int(self._digits(str(value)))

    def _digits(self, text: str) -> str:
        made = self._text(text)
        return made.replace("0", "1", 1) if made.lstrip("-").startswith("0") else made

    def _text(self, text: str) -> str:
        url = _URL.fullmatch(text)
        if url:
            start = f"{url[1]}://{_HOST}/"
            return start + self._plain(text, "url")[len(start) :].replace("?", "-").replace("#", "-")
        return self._plain(text, "text")

    def _plain(self, text: str, purpose: str) -> str:
        stream = self._stream(purpose, text)
        return "".join(self._character(one, stream) for one in text)

    def _stream(self, purpose: str, text: str) -> Iterator[int]:
        seed = f"{self._salt}:{purpose}:{text}".encode("utf-8", "surrogatepass")
        number = 0
        while True:
            yield from hashlib.sha256(seed + b"%d" % number).digest()
            number += 1

    def _character(self, one: str, stream: Iterator[int]) -> str:
        for letters in _LETTERS:
            if one in letters:
                return letters[(letters.index(one) + 1 + next(stream) % (len(letters) - 1)) % len(letters)]
        category = unicodedata.category(one)
        if category[0] in "LN":
            return _choose(_OTHERS, one, stream)
        if category in {"So", "Co", "Cn", "Cs"}:
            return _choose(_SIGNS, one, stream)
        return one  # punctuation, space, joiners and modifiers of emoji


def _choose(by_size: dict[int, str], one: str, stream: Iterator[int]) -> str:
    choices = by_size[len(one.encode("utf-8", "surrogatepass"))].replace(one, "")
    return choices[next(stream) % len(choices)] if choices else "?"
