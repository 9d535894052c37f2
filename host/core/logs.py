"""Logging: one line per record, without credentials or control characters, and with repeats collapsed.

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
import time
import traceback
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import Any
from urllib.parse import quote

MASK = "…"
SHORTEST = 8
MOST = 4096

_lock = threading.Lock()
_live: OrderedDict[str, None] = OrderedDict()


def mask(value: str) -> None:
    """Mask *value* everywhere in the log from now on.

    The 4,096 most recently used values are kept. Values under 8 characters are ignored: they would mask
    words.
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
    # A whole header including its scheme: the credential follows the scheme.
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
    """Set and return the id of this thread's HTTP request: *given* if it is valid, else a new one."""
    id_ = given if _GIVEN.fullmatch(given) else secrets.token_hex(8)
    _http.set(id_)
    return id_


def end_request() -> None:
    """Record that this thread no longer answers a request."""
    _http.set("")


def http() -> str:
    """Return the id of the HTTP request this thread answers, or an empty string."""
    return _http.get()


Follower = Callable[[str, Sequence[Ids], datetime | None], None]
_follower: Follower | None = None


def follow_with(follower: Follower | None) -> None:
    """Call *follower* with the arguments of :func:`follow_each`; None: stop. It must not block or raise."""
    global _follower  # noqa: PLW0603 - a process has one log
    _follower = follower


def follow(what: str, *, since: datetime | None = None, **ids: int | str | None) -> None:
    """Write one line about a message on its way: the event *what*, and its ids, except those that are None.

    Pass numbers and the host's own words only: the line is not searched for credentials, so it must not
    contain text from a customer or a provider.
    """
    follow_each(what, (ids,), since=since)


def follow_each(what: str, steps: Sequence[Ids], *, since: datetime | None = None) -> None:
    """Write such a line for each of *steps*: messages that took the same step together.

    All lines are one log record: separate records would cost as much as the work.

    :param since: when the step began; it is passed to followers but not logged.
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
    """Time, level, logger and message on one line; the complete line is redacted last."""

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
        # If it stayed in the record, other handlers would get it unredacted.
        record.exc_text = None
        return one_line(redact(text))


class JsonFormatter(Formatter):
    """The line as a JSON object: ``at``, ``level``, ``logger``, ``message``, and the ids."""

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
        line.update(getattr(record, REPEATED, {}))
        if record.exc_info:
            line["exception"] = redact(self.formatException(record.exc_info))
        if record.stack_info:
            line["stack"] = redact(record.stack_info)
        return json.dumps(line, ensure_ascii=True)


# Repeated errors

REPEATS_SECONDS = 60.0
"""Interval at which the number of repeats of an error is logged, in seconds."""
MOST_REPEATED = 200
NAMED = 20
"""Maximum number of request ids listed for a repeated error."""
REPEATED = "repeated"
"""Attribute of a summary record, with the number of repeats, the seconds and the requests they cover."""


@dataclass(slots=True)
class _Repeated:
    """A record that was logged, and the number of repeats since the last summary.

    :ivar words: text of the latest, on one line.
    :ivar requests: requests with a repeat.
    """

    name: str
    level: int
    told_at: float
    words: str = ""
    count: int = 0
    requests: list[str] = field(default_factory=list)


class Repeats(logging.Filter):
    """Log filter that lets a warning or an error through once, then counts repeats.

    The count is logged as a summary record after :data:`REPEATS_SECONDS`, and at the end. If the error does
    not repeat for that long, the next one is logged in full again.

    :param write: receives the summary records.
    """

    def __init__(self, write: Callable[[logging.LogRecord], object]) -> None:
        super().__init__()
        self._write = write
        self._known: OrderedDict[object, _Repeated] = OrderedDict()
        self._lock = threading.Lock()
        self._watching = False

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether *record* is logged; count it if not."""
        if record.levelno < logging.WARNING or hasattr(record, REPEATED):
            return True
        try:
            key, words = _sameness(record)
        except Exception:  # noqa: BLE001 - a record that cannot be put into words is the handler's to report
            return True
        dropped = None
        with self._lock:
            known = self._known.get(key)
            if known is not None:
                known.count += 1
                known.words = words
                if _http.get() and len(known.requests) < NAMED:
                    known.requests.append(_http.get())
                return False
            self._known[key] = _Repeated(record.name, record.levelno, time.monotonic())
            if len(self._known) > MOST_REPEATED:
                dropped = self._known.popitem(last=False)[1]
            if not self._watching:
                self._watching = True
                threading.Thread(target=self._watch, name="log-repeats", daemon=True).start()
        if dropped is not None:
            self._tell(dropped, time.monotonic())
        return True

    def _watch(self) -> None:
        while True:
            time.sleep(REPEATS_SECONDS / 4)
            self.look()
            with self._lock:
                if not self._known:
                    self._watching = False
                    return

    def look(self) -> None:
        """Log due summaries; drop records without repeats."""
        now = time.monotonic()
        due = []
        with self._lock:
            for key, known in list(self._known.items()):
                if now - known.told_at < REPEATS_SECONDS:
                    continue
                if not known.count:
                    del self._known[key]
                    continue
                due.append(known)
                self._known[key] = _Repeated(known.name, known.level, now)
        for known in due:
            self._tell(known, now)

    def finish(self) -> None:
        """Log all remaining summaries."""
        with self._lock:
            left = list(self._known.values())
            self._known.clear()
        for known in left:
            self._tell(known, time.monotonic())

    def _tell(self, known: _Repeated, now: float) -> None:
        if not known.count:
            return
        seconds = round(now - known.told_at)
        text = f"{known.words} (again {known.count} times within {seconds} s)"
        record = logging.LogRecord(known.name, known.level, __file__, 0, text, (), None)
        told: dict[str, object] = {"times": known.count, "seconds": seconds}
        setattr(record, REPEATED, {**told, "http_ids": known.requests} if known.requests else told)
        self._write(record)


def _sameness(record: logging.LogRecord) -> tuple[object, str]:
    """Return a key that is equal for records with the same message, and this record's text on one line.

    Exceptions are equal if they come from the same place.
    """
    words = record.getMessage()
    error = record.exc_info[1] if record.exc_info else None
    if error is None:
        return (record.name, record.levelno, words), words
    places = tuple((frame.f_code, line) for frame, line in traceback.walk_tb(error.__traceback__))
    said = traceback.format_exception_only(error)[-1].strip()
    return (record.name, record.levelno, str(record.msg), type(error), places), f"{words}: {said}"


class _Handler(logging.StreamHandler[Any]):
    """Writes records to standard error."""

    def __init__(self, form: str) -> None:
        super().__init__(sys.stderr)
        self.setFormatter(JsonFormatter() if form == "json" else Formatter())
        self.repeats = Repeats(self.handle)
        self.addFilter(self.repeats)

    def close(self) -> None:
        self.repeats.finish()
        super().close()


def tell_repeats() -> None:
    """Log the remaining summaries, for a process that exits without Python's shutdown."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, _Handler):
            handler.repeats.finish()


# Start of a process

_QUIET = (
    "urllib3",
    "requests",
    "sqlalchemy",
    "alembic",
    "mail.log",
    "asyncio",
    "opentelemetry",
    "imapclient",
)
_form = "text"


def tell(sentence: str, level: str = "INFO") -> None:
    """Print *sentence* for the person who started this process, or as JSON if the log uses that.

    Information goes to standard output. Unlike a line of the log it is not searched for credentials.
    """
    line = sentence
    if _form == "json":
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = json.dumps({"at": at, "level": level, "logger": "lobby", "message": sentence})
    print(line, file=sys.stdout if level == "INFO" else sys.stderr, flush=True)


def set_up(level: str = "INFO", form: str = "text") -> None:
    """Set up logging of this process to standard error, including uncaught exceptions.

    :param form: ``text`` or ``json``.
    """
    global _form  # noqa: PLW0603 - a process has one log
    _form = form
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
        if isinstance(old, _Handler):
            old.close()
    root.addHandler(_Handler(form))
    root.setLevel(level)
    for name in _QUIET:
        # At DEBUG these loggers write addresses with their queries, and SQL statements.
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.captureWarnings(True)
    sys.excepthook = _uncaught
    sys.unraisablehook = _unraisable
    threading.excepthook = _uncaught_in_thread


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt) and _form != "json":
        sys.__excepthook__(kind, error, trace)
        return
    logging.getLogger("lobby").critical("uncaught", exc_info=(kind, error, trace))


def _unraisable(found: sys.UnraisableHookArgs) -> None:
    if found.exc_value is not None:
        trace = (found.exc_type, found.exc_value, found.exc_traceback)
        logging.getLogger("lobby").error("%s", found.err_msg or "ignored", exc_info=trace)


def _uncaught_in_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is None or issubclass(args.exc_type, SystemExit):
        return
    name = args.thread.name if args.thread is not None else "?"
    logging.getLogger("lobby").critical(
        "uncaught in thread %s", name, exc_info=(args.exc_type, args.exc_value, args.exc_traceback)
    )
