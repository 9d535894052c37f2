"""No credential reaches a log, whatever it was wrapped in, and no line can be forged."""

from __future__ import annotations

import io
import json
import logging
import re
import sys
import threading
import uuid
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host.core import logs
from host.core.secrets import Keyring, Place, Secret
from tests.conftest import KEYS
from tests.helpers import takes_at_most

TOKEN = "EAA" + "B" * 40


def stream_of(emit: Callable[[logging.Logger], object]) -> str:
    logger = logging.Logger("desk")
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logs.Formatter())
    logger.addHandler(handler)
    emit(logger)
    return stream.getvalue()


def test_a_line_has_time_level_logger_and_message() -> None:
    line = stream_of(lambda log: log.warning("lane %s waits", 7))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00 WARNING desk: lane 7 waits\n", line)


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        (f"token is {TOKEN} today", TOKEN),
        ("GET /me?access_token=abc123def&fields=id", "abc123def"),
        ("access_token%3Dabc123def%26x", "abc123def"),
        ("appsecret_proof=0a1b2c", "0a1b2c"),
        ('{"access_token": "abc.123-def", "id": 1}', "abc.123-def"),
        ('{"page_access_token":"abc123def"}', "abc123def"),
        ("{'app_secret': 'abc123def'}", "abc123def"),
        ("('client_secret', 'abc123def')", "abc123def"),
        ("hub.verify_token=lobby-verify-1", "lobby-verify-1"),
        ("X-Hub-Signature-256: sha256=" + "ab" * 32, "ab" * 32),
        ("Authorization: Bearer abc.def-ghi", "abc.def-ghi"),
        ("{'Authorization': 'Bearer abc.def-ghi'}", "abc.def-ghi"),
        ("('authorization', 'Basic dXNlcjpwYXNz')", "dXNlcjpwYXNz"),
        ("sent Bearer abcdefghijkl to it", "abcdefghijkl"),
        ("Cookie: __Host-lobby=abcdef; x=y", "abcdef"),
        ("postgresql+psycopg://lobby:hunter2@db/lobby", "hunter2"),
        ("redis://:hunter2@cache:6379/0", "hunter2"),
        ("password=hunter2 user=x", "hunter2"),
        ("IGAA" + "c" * 30, "IGAA" + "c" * 30),
    ],
)
def test_what_looks_like_a_credential_is_masked(text: str, secret: str) -> None:
    line = stream_of(lambda log: log.error(text))
    assert secret not in line
    assert logs.MASK in line


@pytest.mark.parametrize(
    "text", ["conversation 12 of account 7 moved", "https://desk.example.com/w/1/inbox", "sha256 of the zip"]
)
def test_ordinary_words_are_left_alone(text: str) -> None:
    assert stream_of(lambda log: log.info(text)).endswith(text + "\n") or logs.redact(text) == text


def test_arguments_are_redacted_after_they_are_put_in() -> None:
    line = stream_of(lambda log: log.error("%s=%s", "access_token", "abc123def"))
    assert "abc123def" not in line


def test_exceptions_and_stacks_are_redacted_and_stay_on_the_line() -> None:
    def emit(log: logging.Logger) -> None:
        try:
            raise ValueError(f"GET https://graph.example.com/me?access_token={TOKEN}\nand more")
        except ValueError:
            log.exception("it failed")

    text = stream_of(emit)
    assert TOKEN not in text
    assert "ValueError" in text
    assert text.count("\n") == 1


def test_a_live_secret_is_masked_wherever_it_appears_and_also_url_quoted() -> None:
    value = f"pässword/{uuid.uuid4()}"
    Secret(value)
    line = stream_of(lambda log: log.error("said %s and p%%C3%%A4ssword%%2F%s", value, value[9:]))
    assert value not in line
    assert value[9:] not in line


def test_what_is_opened_from_the_database_is_masked_from_then_on() -> None:
    value = uuid.uuid4().hex
    place = Place("t", "c", 1, "r")
    sealed = Keyring(KEYS).seal(Secret(value), place)
    logs._live.clear()
    assert value in logs.redact(f"x {value} y")
    Keyring(KEYS).open(sealed, place)
    assert value not in logs.redact(f"x {value} y")


def test_short_values_do_not_mask_words_and_the_oldest_are_let_go() -> None:
    logs.mask("inbox")
    assert logs.redact("the inbox") == "the inbox"
    first = uuid.uuid4().hex
    logs.mask(first)
    for _ in range(logs.MOST):
        logs.mask(uuid.uuid4().hex)
    assert logs.redact(first) == first
    logs._live.clear()


def test_a_message_cannot_forge_a_line_or_move_the_cursor() -> None:
    evil = "name\r\n2030-01-01T00:00:00 INFO desk: all is well\x1b[2J\x00\u2028\u202e\x9b1m"
    line = stream_of(lambda log: log.info("from %s", evil))
    assert line.count("\n") == 1
    assert line.endswith(
        "from name\\r\\n2030-01-01T00:00:00 INFO desk: all is well\\x1b[2J\\x00\\u2028\\u202e\\x9b1m\n"
    )


@given(st.text())
def test_any_text_gives_one_line_that_can_be_encoded(text: str) -> None:
    line = logs.one_line(logs.redact(text))
    assert line.isprintable() or not any(char in line for char in "\r\n\x1b\x00\x9b")
    line.encode("utf-8")


def test_a_long_line_is_redacted_quickly() -> None:
    for text in ("token" * 40_000, "a" * 200_000, "://" * 60_000, "EAA" * 60_000, "cookie " * 30_000):
        with takes_at_most(300):
            logs.redact(text)


@pytest.fixture
def _restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    hooks = sys.excepthook, threading.excepthook, sys.unraisablehook
    levels = {name: logging.getLogger(name).level for name in logs._QUIET}
    yield
    logging.captureWarnings(False)
    root.handlers[:] = handlers
    root.setLevel(level)
    sys.excepthook, threading.excepthook, sys.unraisablehook = hooks
    logs._form = "text"
    for name, value in levels.items():
        logging.getLogger(name).setLevel(value)


@pytest.mark.usefixtures("_restored")
def test_set_up_sends_everything_through_the_formatter(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up("INFO")
    logging.getLogger("anything").info(json.dumps({"access_token": "abc123def"}))
    logging.getLogger("anything").debug("not shown")
    logging.getLogger("urllib3.connectionpool").debug("GET /?access_token=abc123def")

    def fails() -> None:
        raise RuntimeError("Authorization: Bearer abcdefghijk")

    thread = threading.Thread(target=fails, name="worker-1")
    thread.start()
    thread.join()
    try:
        raise RuntimeError(TOKEN)
    except RuntimeError as error:
        sys.excepthook(RuntimeError, error, error.__traceback__)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    assert not [line for line in lines if "abc" in line or TOKEN in line]
    assert "worker-1" in lines[1]


def test_json_is_one_object_on_a_line_with_nothing_secret_in_it() -> None:
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(logs.JsonFormatter())
    log = logging.getLogger("test.json")
    log.addHandler(handler)
    log.propagate = False
    log.setLevel(logging.INFO)
    id_ = logs.begin_request()
    try:
        log.warning('access_token="%s" \n\x1b "quoted"', TOKEN)
        try:
            raise RuntimeError(f"Bearer {TOKEN}")
        except RuntimeError:
            log.exception("it failed")
        log.info("applied", extra={"steps": [{"event_id": 7}]})
    finally:
        logs.end_request()
        log.removeHandler(handler)
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [line["http_id"] for line in lines] == [id_] * len(lines)
    assert TOKEN not in out.getvalue()
    assert "Traceback" in lines[1]["exception"]
    assert lines[2]["event_id"] == 7
    assert lines[0]["message"].endswith('\n\x1b "quoted"')


@pytest.mark.parametrize("given", ["", "short", "with space in it", "x" * 65, "line\nbreak-break"])
def test_an_id_that_is_none_is_replaced(given: str) -> None:
    assert re.fullmatch(r"[0-9a-f]{16}", logs.begin_request(given))
    assert logs.begin_request("proxy-1234.5") == "proxy-1234.5"
    logs.end_request()
    assert logs.http() == ""


# Repeated errors


@pytest.fixture
def calm(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[logging.Logger, io.StringIO, logs.Repeats]]:
    """A logger behind a handler that counts what comes again, and what it writes."""
    monkeypatch.setattr(logs, "REPEATS_SECONDS", 3600.0)
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(logs.JsonFormatter())
    repeats = logs.Repeats(handler.handle)
    handler.addFilter(repeats)
    logger = logging.Logger("calm")
    logger.addHandler(handler)
    yield logger, out, repeats
    repeats.finish()


def fail(log: logging.Logger, what: str) -> None:
    try:
        raise RuntimeError(what)
    except RuntimeError:
        log.exception("request %s failed", what)


def test_an_error_that_comes_again_is_counted_and_its_traceback_told_once(
    calm: tuple[logging.Logger, io.StringIO, logs.Repeats], monkeypatch: pytest.MonkeyPatch
) -> None:
    log, out, repeats = calm
    for number in range(375):
        fail(log, f"number-{number}")
    (line,) = out.getvalue().splitlines()
    assert "Traceback" in json.loads(line)["exception"]
    repeats.look()
    assert out.getvalue().count("\n") == 1, "not due yet"
    monkeypatch.setattr(logs, "REPEATS_SECONDS", 0.0)
    repeats.look()
    told = json.loads(out.getvalue().splitlines()[1])
    assert (told["times"], told["level"], told["logger"]) == (374, "ERROR", "calm")
    assert "request number-374 failed: RuntimeError: number-374 (again 374 times" in told["message"]
    assert "exception" not in told
    fail(log, "once more")
    repeats.look()
    assert "again 1 times" in json.loads(out.getvalue().splitlines()[2])["message"]
    repeats.look()
    fail(log, "after a rest")
    assert "Traceback" in json.loads(out.getvalue().splitlines()[3])["exception"]


def test_what_is_not_the_same_is_written_each_time(
    calm: tuple[logging.Logger, io.StringIO, logs.Repeats],
) -> None:
    log, out, _repeats = calm
    for number in range(5):
        log.info("the same")
        log.warning("account %s waits", number)
    try:
        raise RuntimeError("from elsewhere")
    except RuntimeError:
        log.exception("request %s failed", 1)
    fail(log, "1")
    assert out.getvalue().count("\n") == 12


def test_the_requests_an_error_came_again_in_are_named_and_nothing_secret_is(
    calm: tuple[logging.Logger, io.StringIO, logs.Repeats],
) -> None:
    log, out, repeats = calm
    ids = []
    for _ in range(logs.NAMED + 5):
        ids.append(logs.begin_request())
        fail(log, TOKEN)
    logs.end_request()
    repeats.finish()
    told = json.loads(out.getvalue().splitlines()[-1])
    assert told["http_ids"] == ids[1 : logs.NAMED + 1]
    assert TOKEN not in out.getvalue()


def test_counts_are_told_when_there_are_too_many_and_at_the_end(
    calm: tuple[logging.Logger, io.StringIO, logs.Repeats],
) -> None:
    log, out, repeats = calm
    log.error("the first")
    log.error("the first")
    for number in range(logs.MOST_REPEATED):
        log.error("another %s", number)
    assert "the first (again 1 times" in out.getvalue()
    log.error("another 7")
    repeats.finish()
    assert "another 7 (again 1 times" in out.getvalue()


@pytest.mark.usefixtures("_restored")
def test_it_is_told_by_itself(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(logs, "REPEATS_SECONDS", 0.01)
    logs.set_up("INFO")
    for _ in range(50):
        logging.getLogger("anything").error("it failed")
    told = ""
    for _ in range(500):
        told += capsys.readouterr().err
        if "again" in told:
            break
        threading.Event().wait(0.01)
    assert "it failed (again" in told


def test_a_record_that_cannot_be_put_into_words_harms_nobody(
    calm: tuple[logging.Logger, io.StringIO, logs.Repeats], monkeypatch: pytest.MonkeyPatch
) -> None:
    log, _out, _repeats = calm
    monkeypatch.setattr(logging, "raiseExceptions", False)
    log.error("%s and %s", *["only one"])
