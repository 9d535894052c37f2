"""Logging: one line per record, with no credential and no control character in it.

Ids make it possible to follow a message from the webhook to the screen: :func:`follow` writes them, and every
line written while an HTTP request is answered carries the id of that request.
"""

from __future__ import annotations

import json
import logging
import re
import secrets
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from datetime import UTC, datetime
from types import TracebackType
from urllib.parse import quote

MASK = "…"
SHORTEST = 8
MOST = 4096

_lock = threading.Lock()
_live: OrderedDict[str, None] = OrderedDict()


def mask(value: str) -> None:
    """Mask *value* wherever it appears in the log from now on.

    The 4,096 values used last are kept. Values under 8 characters are ignored: they would mask words.
    """
    if len(value) < SHORTEST:
        return
    quoted = quote(value, safe="")
    with _lock:
        for form in {value, quoted}:
            _live[form] = None
            _live.move_to_end(form)
        while len(_live) > MOST:
            _live.popitem(last=False)


_NAMES = r"token|secret|passwd|password|secret_proof|api[_-]?key|session[_-]?key"
_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    # A whole header, scheme and all: what follows the scheme is the credential.
    (
        re.compile(
            r"(?i)\b((?:proxy-)?authorization|(?:set-)?cookie)"
            r"((?:\\?['\"])?\s*[:=,]\s*(?:b?\\?['\"])?)[^\r\n'\"\\]+"
        ),
        rf"\1\2{MASK}",
    ),
    (re.compile(r"(?i)\b(bearer|basic)\s+[a-z0-9._~+/=|-]{8,}"), rf"\1 {MASK}"),
    (
        re.compile(
            rf"(?i)({_NAMES})((?:\\?['\"])?\s*(?:[=:]|%3D|['\"],)\s*(?:b?\\?['\"])?)[^\s'\"\\&,;)}}\]]+"
        ),
        rf"\1\2{MASK}",
    ),
    (re.compile(r"\blobby_[A-Za-z0-9_-]{20,}"), MASK),
    (re.compile(r"\bEAA[A-Za-z0-9]{20,}"), MASK),
    (re.compile(r"\bIG[A-Z]{2}[A-Za-z0-9_-]{20,}"), MASK),
    (re.compile(r"(?i)\b(sha(?:1|256)=)[0-9a-f]{40,64}"), rf"\1{MASK}"),
    (re.compile(r"(://[^/\s:@]*:)[^/\s@]+@"), rf"\1{MASK}@"),
)

# C0, DEL and C1 controls, line and paragraph separators, and marks that change the direction of text.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def redact(text: str) -> str:
    """Return *text* with every known credential and everything that looks like one masked."""
    with _lock:
        values = list(_live)
    for value in values:
        if value in text:
            text = text.replace(value, MASK)
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text


def one_line(text: str) -> str:
    """Return *text* with control characters spelled out, so that it cannot forge a line or move a cursor."""
    return _CONTROL.sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    char = match.group()
    code = ord(char)
    return _SHORT.get(char) or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")


_http: ContextVar[str] = ContextVar("http", default="")
_GIVEN = re.compile(r"[A-Za-z0-9_.-]{8,64}")
_path = logging.getLogger("lobby.path")


Ids = Mapping[str, int | str | None]
"""The ids of a message at one step, by name."""


def begin_request(given: str = "") -> str:
    """Set and return the id of this thread's HTTP request: *given* if it is a valid id, else a new one."""
    id_ = given if _GIVEN.fullmatch(given) else secrets.token_hex(8)
    _http.set(id_)
    return id_


def end_request() -> None:
    """Note that this thread no longer answers a request."""
    _http.set("")


def http() -> str:
    """Return the id of the HTTP request this thread answers, or nothing."""
    return _http.get()


Follower = Callable[[str, Sequence[Ids], datetime | None], None]
_follower: Follower | None = None


def follow_with(follower: Follower | None) -> None:
    """Call *follower* with the arguments of :func:`follow_each`; None: stop. It must not block or raise."""
    global _follower  # noqa: PLW0603 - a process has one log
    _follower = follower


def follow(what: str, *, since: datetime | None = None, **ids: int | str | None) -> None:
    """Write one line about a message on its way: *what* happened, and its ids, except those that are None.

    Pass numbers and the host's own words only: the line is not searched for credentials, so it must hold no
    text of a customer or a provider.
    """
    follow_each(what, (ids,), since=since)


def follow_each(what: str, steps: Sequence[Ids], *, since: datetime | None = None) -> None:
    """Write such a line for each of *steps*: messages that took the same step together.

    All lines are one log record: a record each would cost as much as the work itself.

    :param since: when the step began; only followers get it, no line shows it.
    """
    if _follower is not None:
        _follower(what, steps, since)
    if steps and _path.isEnabledFor(logging.INFO):
        _path.info(what, extra={"steps": steps})


def _told(ids: Ids) -> Ids:
    """Return the *ids* that are set, and the id of the HTTP request this thread answers."""
    told = {name: value for name, value in ids.items() if value is not None}
    here = _http.get()
    return {**told, "http_id": here} if here else told


class Formatter(logging.Formatter):
    """Time, level, logger and message on one line; redacted last, when everything is in it."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802 - logging's name
        return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")

    def format(self, record: logging.LogRecord) -> str:
        steps = getattr(record, "steps", None)
        if steps is not None:
            start = super().format(record)
            return "\n".join(
                " ".join([start, *(f"{name}={value}" for name, value in _told(ids).items())]) for ids in steps
            )
        text = super().format(record)
        # Left on the record it would reach other handlers unredacted.
        record.exc_text = None
        return one_line(redact(text))


class JsonFormatter(Formatter):
    """The same as a JSON object: ``at``, ``level``, ``logger``, ``message``, and the ids."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "at": self.formatTime(record),
            "level": record.levelname,
            "logger": record.name,
        }
        steps = getattr(record, "steps", None)
        if steps is not None:
            line["message"] = record.getMessage()
            return "\n".join(json.dumps({**line, **_told(ids)}) for ids in steps)
        line["message"] = redact(record.getMessage())
        if _http.get():
            line["http_id"] = _http.get()
        if record.exc_info:
            line["exception"] = redact(self.formatException(record.exc_info))
        if record.stack_info:
            line["stack"] = redact(record.stack_info)
        return json.dumps(line, ensure_ascii=True)


_QUIET = ("urllib3", "requests", "sqlalchemy", "alembic", "mail.log", "asyncio", "opentelemetry")


def set_up(level: str = "INFO", form: str = "text") -> None:
    """Make this process log to standard error, uncaught exceptions too.

    :param form: ``text`` or ``json``.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if form == "json" else Formatter())
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level)
    for name in _QUIET:
        # At DEBUG these loggers write addresses with their queries, and SQL statements.
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.captureWarnings(True)
    sys.excepthook = _uncaught
    threading.excepthook = _uncaught_in_thread


def _uncaught(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, traceback)
        return
    logging.getLogger("lobby").critical("uncaught", exc_info=(kind, error, traceback))


def _uncaught_in_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is None or issubclass(args.exc_type, SystemExit):
        return
    name = args.thread.name if args.thread is not None else "?"
    logging.getLogger("lobby").critical(
        "uncaught in thread %s", name, exc_info=(args.exc_type, args.exc_value, args.exc_traceback)
    )
