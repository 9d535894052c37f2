"""The audit journal: sentences for all that is written down, narrowed, as a file, and for so long."""

from __future__ import annotations

import csv
import io
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from host.core import clock, db
from host.models.users import Role
from host.users import audit, failed_tries
from host.users.audit import AuditRow
from host.users.pages.audit_sentences import KINDS, sentence, sentences
from tests.helpers import client_for, make_user, make_workspace

HOST = Path(__file__).parents[2] / "host"
ACTION = re.compile(
    r"""(?:audit\(\s*\w+,|record\(\s*\w+,|_do\(\s*\w+,|_start\(\s*\w+,|action\ =|SIGN_IN\ =|CONFIRM\ =)\s*
        "([a-z_]+\.[a-z_]+)"(?:\ if\ .*\ else\ "([a-z_]+\.[a-z_]+)")?""",
    re.VERBOSE,
)


def actions() -> set[str]:
    """Return every action that the source of the host writes down."""
    found: set[str] = set()
    for path in HOST.rglob("*.py"):
        for match in ACTION.finditer(path.read_text(encoding="utf-8")):
            found.update(one for one in match.groups() if one)
    return found


def test_every_action_has_a_sentence_and_a_kind() -> None:
    found = actions()
    assert len(found) > 50
    assert found - set(sentences()) == set()
    kinds = {prefix for _words, prefixes in KINDS.values() for prefix in prefixes}
    assert {action.partition(".")[0] for action in sentences()} <= kinds


def line(**values: Any) -> AuditRow:
    given: dict[str, Any] = {
        "id": 1, "at": clock.now(), "person": "Mia", "person_id": 1, "workspace": None,
        "action": "user.added",
        "subject": "kim@example.com", "details": {}, "remote": "",
    }  # fmt: skip
    return AuditRow(**{**given, **values})


def test_names_are_text_in_a_sentence(desk: Flask) -> None:
    hostile = '<img src=x onerror="alert(1)">%(who)s %s'
    with desk.test_request_context():
        said = sentence(
            line(person=hostile, subject=hostile, details={"role": hostile}, action="member.invited")
        )
        assert "<img" not in said
        assert said.count("&lt;img") == 3
        assert sentence(line(action="thing.else")) == (
            '<b translate="no">Mia</b> changed <b translate="no">kim@example.com</b>'
        )
        assert "–" in sentence(line(action="member.invited"))


def test_stored_values_are_shown_in_words(desk: Flask) -> None:
    with desk.test_request_context():
        for action, given, shown in (
            ("rule.state", {"state": "live"}, "Live"),
            ("rule.added", {"state": "shadow"}, "Shadow"),
            ("assistant.mode", {"mode": "suggest", "account": "@shop"}, "Suggest"),
            ("assistant.mode", {"mode": "of a later release"}, "of a later release"),
            ("member.role_changed", {"role": "lead"}, "Lead"),
        ):
            assert sentence(line(action=action, details=given)).endswith(f'<b translate="no">{shown}</b>')
        wanted = line(action="sign_in.second_factor_wanted", subject="admins")
        assert "desk admins" in sentence(wanted)


@pytest.fixture
def written(desk: Flask) -> int:
    workspace, elsewhere = make_workspace("Pottery"), make_workspace("Books")
    mia = make_user("mia@example.com", "Mia", workspace=workspace, role=Role.OWNER)
    make_user("tess@example.com", "Tess", workspace=workspace, role=Role.AUDITOR)
    make_user("eve@example.com", "Eve", workspace=elsewhere, role=Role.OWNER)

    def write(session: Any) -> None:
        for action, subject, place in (
            ("member.invited", "ivo@example.com", workspace),
            ("api_key.created", '=HYPERLINK("http://x")', workspace),
            ("member.invited", "foreign@example.com", elsewhere),
            ("user.added", "somebody@example.com", None),
        ):
            audit.record(session, action, subject, user_id=mia.id, workspace_id=place, remote="@192.0.2.1")

    db.write(write)
    failed_tries.note(failed_tries.SIGN_IN, "mia@example.com", "203.0.113.24")
    failed_tries.note(failed_tries.SIGN_IN, "eve@example.com", "203.0.113.24")
    return workspace


def person(desk: Flask, email: str) -> Any:
    from host.users import users

    with db.read() as session:
        return client_for(desk, users.by_email(session, email))


def test_a_workspace_shows_its_own_lines_and_the_sign_ins_of_its_people(desk: Flask, written: int) -> None:
    for email in ("mia@example.com", "tess@example.com"):
        page = person(desk, email).get(f"/w/{written}/settings/audit").text
        assert "ivo@example.com" in page
        assert "Failed passwords" in page
        for foreign in ("foreign@example.com", "somebody@example.com", "eve@example.com"):
            assert foreign not in page
    assert person(desk, "eve@example.com").get(f"/w/{written}/settings/audit").status_code == 404


def test_it_is_narrowed(desk: Flask, written: int) -> None:
    mia = person(desk, "mia@example.com")
    page = f"/w/{written}/settings/audit"

    def shown(**arguments: object) -> int:
        return str(mia.get(page, query_string=arguments).text).count('<details class="entry">')

    assert shown() == 3
    assert shown(kind="keys") == 1
    assert shown(kind="nothing") == 3
    assert shown(q="IVO@") == 1
    assert shown(q="100%_") == 0
    assert shown(q="mia") == 3
    assert shown(person=10**15) == 0
    assert mia.get(page, query_string={"person": "x"}).status_code == 400
    with clock.travel(timedelta(days=2)):
        mia = person(desk, "mia@example.com")
        assert shown(days="1") == 0
        assert shown(days="7") == 3


def test_the_file_holds_no_formula(desk: Flask, written: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "CHUNK", 2)
    answer = person(desk, "tess@example.com").get(f"/w/{written}/settings/audit?format=csv")
    assert answer.headers["Content-Type"].startswith("text/csv")
    assert "attachment" in answer.headers["Content-Disposition"]
    rows = list(csv.reader(io.StringIO(answer.data.decode("utf-8-sig"))))
    assert rows[0] == ["time", "who", "workspace", "action", "subject", "details", "from"]
    assert len(rows) == 4, "all of it, however many are read at a time"
    assert not [value for one in rows for value in one if value.startswith(("=", "+", "-", "@"))]
    assert '\'=HYPERLINK("http://x")' in [one[4] for one in rows]


def test_lines_are_kept_for_so_long(desk: Flask, written: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "_kept", None)
    assert db.write(audit.forget_old) == 0
    audit.keep_for(30)
    assert db.write(audit.forget_old) == 0
    with clock.travel(timedelta(days=31)):
        db.write(lambda session: audit.record(session, "user.added", "new", user_id=None))
        assert db.write(audit.forget_old) == 6
        with db.read() as session:
            assert [one.subject for one in audit.page(session)[0]] == ["new"]
    audit.keep_for(0)
    with clock.travel(timedelta(days=10_000)):
        assert db.write(audit.forget_old) == 0
