"""The watch over calls of addons: it notices them inside a write, and refuses what listed ones may not do."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from host.addons.metrics import in_process
from host.addons.running.contributions import ADAPTER_METHODS
from host.channels import timeouts
from host.core import db
from tests import calling_watch


def noticed() -> list[str]:
    """Return what was noticed, and forget it."""
    found, calling_watch.found[:] = calling_watch.found[:], []
    return [one.partition(":\n")[0] for one in found]


def counted(what: str, function: Callable[..., Any]) -> Callable[..., Any]:
    return in_process.metrics().counted("toy", "1.0.0", what, function)


def test_authors_read_what_is_called_inside_a_write() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "addons.md").read_text()
    listed = page.split("functions of an adapter inside a write")[1].split("They only look")[0]
    assert re.findall(r"`(\w+)`", listed) == sorted(calling_watch.LISTED)


def test_an_addon_called_inside_a_write_is_noticed(database: db.Database) -> None:
    holds = counted("condition toy.long", lambda: True)
    assert holds()
    assert not noticed(), "no write has begun"
    assert db.write(lambda _session: holds())
    assert noticed() == ["condition toy.long of the addon toy was called inside a write"]


def test_waiting_for_one_in_a_thread_is_noticed(database: db.Database) -> None:
    wait: Callable[[], str] = lambda: timeouts.within(30, "condition toy.long", lambda: "fine")  # noqa: E731
    assert wait() == "fine"
    assert not noticed()
    assert db.write(lambda _session: wait()) == "fine"
    assert noticed() == ["condition toy.long was waited for inside a write"]


@pytest.mark.parametrize(
    ("does", "event"),
    [
        (lambda: Path(__file__).read_text(), "open"),
        (lambda: time.sleep(0), "time.sleep"),
    ],
)
def test_a_listed_call_may_neither_read_files_nor_sleep(
    database: db.Database, does: Callable[[], Any], event: str
) -> None:
    policy = counted("reply_policy", does)
    policy()
    with pytest.raises(PermissionError):
        db.write(lambda _session: policy())
    assert noticed() == [f"reply_policy did {event} inside a write"]
    does()


def test_a_listed_call_that_only_looks_at_its_arguments_is_fine(database: db.Database) -> None:
    assert db.write(lambda _session: counted("reply_policy", lambda: 7)()) == 7
    assert not noticed()


def test_each_exception_is_still_there() -> None:
    assert set(calling_watch.LISTED) <= set(ADAPTER_METHODS)
