"""The section of the desk settings about how long data is kept."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from flask import Flask

from host.core import db
from host.models.users import AuditEntry
from host.users import data_retention
from tests.users.test_settings import owner_of

PAGE = "/admin/desk/data"


def days() -> tuple[int, int]:
    with db.read() as session:
        found = data_retention.chosen(session)
    return found.raw_days, found.log_days


def test_a_shorter_time_asks_first_and_is_written_to_the_audit_log(desk: Flask) -> None:
    _workspace, client = owner_of(desk, is_admin=True)
    answer = client.post_form(PAGE, raw_days="7", log_days="400")
    assert answer.status_code == 400
    assert "permanently deletes older data" in answer.text
    assert 'value="7"' in answer.text
    assert days() == (30, 400)
    assert client.post_form(PAGE, raw_days="7", log_days="400", sure="1").status_code == 302
    assert "Older data is deleted in the background." in client.get("/admin/desk").text
    assert client.post_form(PAGE, raw_days="8", log_days="500").status_code == 302
    assert days() == (8, 500)
    with db.read() as session:
        query = sa.select(AuditEntry.details).where(AuditEntry.action == "desk.changed")
        found = list(session.scalars(query.order_by(AuditEntry.id)))
    assert found == [
        {"raw_days": {"from": 30, "to": 7}},
        {"raw_days": {"from": 7, "to": 8}, "log_days": {"from": 400, "to": 500}},
    ]
    assert "their contents for 8 days" in client.get("/admin/journal").text


@pytest.mark.parametrize("raw", ["", "0", "-1", "401", "9" * 5000, "ten"])
def test_a_bad_number_changes_nothing(desk: Flask, raw: str) -> None:
    _workspace, client = owner_of(desk, is_admin=True)
    answer = client.post_form(PAGE, raw_days=raw, log_days="500", sure="1")
    assert answer.status_code == 400
    assert "can be kept for 1 to 400 days" in answer.text
    assert days() == (30, 400)
