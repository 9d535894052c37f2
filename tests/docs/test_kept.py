"""The table of how long data is kept says what the code does."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

from host import recording
from host.addons.running import held_webhooks, listening
from host.api.http import idempotency
from host.inbox.bulk import actions
from host.inbox.kept_drafts import data as drafts
from host.media import uploads
from host.notifications import notify
from host.queue import policy
from host.users import data_retention as retention
from host.webhooks import policy as endpoints

PAGE = Path(__file__).resolve().parents[2] / "docs/operate.md"
KEPT = {
    "contents of received requests and events": timedelta(days=retention.RAW_DEFAULT),
    "the event log, for programs, webhooks and reports": timedelta(days=retention.LOG_DEFAULT),
    "ids of received events, which recognise repeated ones": retention.KEYS_KEPT,
    "deliveries to webhook endpoints": endpoints.KEPT,
    "webhooks of an addon that is not running": held_webhooks.KEPT,
    "keys of changes that addons made": listening.KEPT,
    "answers of API requests with an Idempotency-Key": idempotency.KEPT,
    "notifications": notify.KEPT,
    "unsent drafts": drafts.KEPT,
    "bulk actions": actions.KEPT,
    "events for open pages": policy.LIVE_KEPT,
    "uploads that no message uses": uploads.KEPT,
    "figures of `/metrics` and Health": recording.KEPT,
}
UNITS = {"hour": timedelta(hours=1), "day": timedelta(days=1)}


def told() -> dict[str, str]:
    table = PAGE.read_text().split("<!-- kept -->")[1].split("<!-- /kept -->")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.strip().splitlines()[2:]]
    return {row[0]: row[1] for row in rows}


def test_the_table_says_what_the_code_does() -> None:
    found = told()
    assert found.pop("audit log") == "`LOBBY_AUDIT_DAYS`"
    # Held by tests/sequences/test_hard.py.
    assert (
        found.pop("customers' ended runs through sequences, with their answers") == "as long as the event log"
    )
    assert found.keys() == KEPT.keys()
    for what, how_long in found.items():
        number, unit = re.match(r"(\d+) (hour|day)s?", how_long).groups()  # type: ignore[union-attr]
        assert int(number) * UNITS[unit] == KEPT[what], what


def test_the_table_tells_the_limits_an_admin_has() -> None:
    found = told()
    least, most = retention.LEAST_RAW_DAYS, retention.MOST_RAW_DAYS
    assert f"{least} to {most}," in found["contents of received requests and events"]
    least, most = retention.LEAST_LOG_DAYS, retention.MOST_LOG_DAYS
    assert f"{least} to {most:,}," in found["the event log, for programs, webhooks and reports"]
