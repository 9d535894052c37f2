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
from host.users.pages.audit_details import changes
from host.users.pages.audit_sentences import KINDS, more, sentence, sentences, subject
from tests.helpers import client_for, make_user, make_workspace
from tests.pins import audit_lines

HOST = Path(__file__).parents[2] / "host"
ACTION = re.compile(
    r"""(?:audit\(\s*(?:\w+,)?|record\(\s*\w+,|_do\(\s*\w+,|_start\(\s*\w+,|
        action\ =|SIGN_IN\ =|CONFIRM\ =)\s*
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
            '<b><bdi translate="no">Mia</bdi></b> changed <b><bdi translate="no">kim@example.com</bdi></b>'
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
            if action in sentences():  # its feature is installed
                assert sentence(line(action=action, details=given)).endswith(
                    f'<b><bdi translate="no">{shown}</bdi></b>'
                )
        wanted = line(action="sign_in.second_factor_wanted", subject="admins")
        assert "desk admins" in sentence(wanted)


def test_a_version_keeps_its_dots(desk: Flask) -> None:
    with desk.test_request_context():
        told = [" ".join(one) for one in more(line(action="addon.activated", details={"version": "1.0.0"}))]
    assert told == ["Version 1.0.0"]


SHOWN_AS_CODES = re.compile(r"_|\b[a-z]+\.[a-z]+\b|[{}\[\]]|\b(?:True|False|None|null)\b")
"""What a program would write: names with underscores, dotted names, JSON and values of Python."""

PAIR = {"from": False, "to": True}
SAMPLES: dict[str, Any] = {
    "workspace.changed": {
        "timezone": {"from": "", "to": "America/New_York"},
        "language": {"from": "", "to": "de"},
        "assigns_on_reply": PAIR,
        "undo_seconds": {"from": 0, "to": 10},
        "shows_drafts": PAIR,
        "pushes_content": PAIR,
        "offline_conversations": {"from": 10, "to": 25},
        "joins_contacts": PAIR,
        "picture": "changed",
    },
    "desk.changed": {
        "name": {"from": "", "to": "Pottery"},
        "colour": {"from": "", "to": "#0b6b63"},
        "mail_server": "changed",
        "retention_days": {"from": "", "to": "100"},
        "workspace_makers": {"from": "", "to": "anybody"},
        "raw_days": {"from": 30, "to": 60},
        "log_days": {"from": 30, "to": 60},
    },
    "account.messages_changed": {
        "channel": "toy",
        "reply_target": {"from": 30, "to": None},
        "mark_seen": PAIR,
        "show_seen": {"from": None, "to": False},
        "typing": PAIR,
        "overflow": {"from": None, "to": "truncate"},
    },
    "account.automation_changed": {"greeting": PAIR, "away": PAIR, "routing": PAIR},
    "account.files_changed": {"days": {"from": "keep", "to": 0}},
    "api_key.created": {"scopes": ["contacts:read", "erase"], "automatic": True, "accounts": ["Shop"]},
    "hours.changed": {
        "own": "yes",
        "monday": "closed",
        "timezone": "Europe/Berlin",
        "exceptions_gone": "1 May",
    },
    "session.failed": {"times": 3, "last": "2026-03-04T10:00:00+00:00", "had to wait": 1},
    "session.confirmed": {"for": "/w/1/settings/api", "by": "password"},
    "events.replayed": {"matching": {"state": "failed", "q": "Ana"}},
    "workspace.deleted": {"workspace_id": 3, "conversations": 4, "people": 2},
    "workspace.retention_changed": {"days": "desk", "before": 30},
    "member.role_changed": {"role": "lead", "before": "agent"},
    "rule.state": {"state": "live", "before": "draft"},
    "assistant.mode": {"account": "@shop", "mode": "answer", "before": "off", "needed": 20},
    "addon.event_skipped": {"event": "message.received", "number": 4, "conversation": 7},
    "addon.settings_changed": {"settings": "shop_url, api_key"},
    "user.came": {"by": "provider"},
    "desk.restored_unverified": {"lobby": "1.0.0", "problem": "No signature"},
}
"""Details of lines as the code writes them; of others, each is a code."""

SUBJECTS = {
    "desk.changed": "retention_days, mail_server",
    "channel.settings_changed": "toy-box",
    "event.replayed": "toy comment_added 4",
    "webhook.refused": "toy-box",
    "sign_in.second_factor_wanted": "admins",
}

AS_TYPED = {"accounts", "account", "as", "before", "file", "host", "into", "members", "model", "name", "of"}
AS_TYPED |= {"reason", "to", "teams", "taken_from", "version"}
"""Details that are names, which are shown as they are."""


def sample(name: str) -> object:
    """Return a value of a detail."""
    if name in AS_TYPED:
        return "Shop"
    if name in {"days", "from", "left", "needed", "people", "place"}:
        return 30
    known = {"channel": "toy", "expires": "2026-03-04T10:00:00+00:00", "by": "passkey", "admin": "yes"}
    return known.get(name, "some_code")


def test_no_line_shows_a_code(desk: Flask) -> None:
    api, pages = audit_lines.written()
    wrong = []
    with desk.test_request_context():
        for action in sorted({*sentences(), *api, *pages}):
            names = {name.rstrip("?") for name in (api | pages).get(action, set())} - {audit_lines.OPEN}
            details = SAMPLES.get(action) or {name: sample(name) for name in names}
            row = line(action=action, subject=SUBJECTS.get(action, "Jo"), details=details)
            told = [sentence(row), str(subject(row)), *map(" ".join, [*changes(row), *more(row)])]
            shown = re.sub(r"<[^>]+>", "", " · ".join(told)).replace("kim@example.com", "")
            if found := SHOWN_AS_CODES.search(shown):
                wrong.append(f"{action}: {found[0]} in {shown}")
    assert not wrong, "\n".join(wrong)


def test_a_line_says_from_what_to_what_as_the_screens_call_it(desk: Flask) -> None:
    with desk.test_request_context():
        for action, said in (
            ("account.messages_changed", ("Response time", "30 min → none")),
            ("workspace.changed", ("Undo a sent reply within", "Not at all → 10 seconds")),
            ("desk.changed", ("Who can create workspaces", "Desk admins → Everyone who can sign in")),
            ("member.role_changed", ("Role", "Agent → Lead")),
            ("rule.state", ("State", "Draft → Live")),
            ("workspace.retention_changed", ("Message retention", "30 days → Lobby's default")),
            ("api_key.created", ("Scopes", "Contacts: read, Erase: change")),
        ):
            row = line(action=action, subject="Shop", details=SAMPLES[action])
            assert action not in sentences() or said in more(row), (action, more(row))
        renamed = line(action="workspace.renamed", subject="Kiln", details={"before": "Shop"})
        assert more(renamed) == [("Name", "Shop → Kiln")]
        assert subject(line(action="desk.changed", subject="retention_days, mail_server")) == (
            "Message retention, Mail server"
        )


@pytest.fixture
def written(desk: Flask) -> int:
    workspace, elsewhere = make_workspace("Pottery"), make_workspace("Books")
    mia = make_user("mia@example.com", "Mia", workspace=workspace, role=Role.OWNER)
    make_user("tess@example.com", "Tess", workspace=workspace, role=Role.AUDITOR)
    make_user("eve@example.com", "Eve", workspace=elsewhere, role=Role.OWNER)

    def write(session: Any) -> None:
        for action, what, place in (
            ("member.invited", "ivo@example.com", workspace),
            ("api_key.created", '=HYPERLINK("http://x")', workspace),
            ("member.invited", "foreign@example.com", elsewhere),
            ("user.added", "somebody@example.com", None),
        ):
            audit.record(session, action, what, user_id=mia.id, workspace_id=place, remote="@192.0.2.1")

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
