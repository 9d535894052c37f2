"""Lists of settings that are long: they come in pages, and what is looked for is found."""

from __future__ import annotations

import html
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.orm import Session

from host.core import clock, db
from host.inbox.canned.models import CannedReply
from host.inbox.labels import labels
from host.inbox.labels.models import Label, LabelTone
from host.models.api_keys import ApiKey
from host.models.users import Role
from host.rules.models import Rule, RuleState, RuleVersion
from tests import helpers
from tests.web.test_account_picker import MOST_BYTES, MOST_STATEMENTS, counted


@pytest.fixture
def workspace(app: Flask) -> int:
    return helpers.make_workspace()


@pytest.fixture
def owner(app: Flask, workspace: int) -> helpers.Browser:
    return helpers.client_for(app, helpers.make_user(workspace=workspace, role=Role.OWNER))


def fill(table: Any, rows: list[dict[str, Any]]) -> None:
    def use_case(session: Session) -> None:
        session.execute(sa.insert(table), rows)

    db.write(use_case)


def add_labels(workspace: int, count: int) -> None:
    """Add labels named Label 000 and so on, with one statement."""
    shared = {"workspace_id": workspace, "tone": LabelTone.BLUE, "created_at": clock.now()}
    names = [f"Label {number:03}" for number in range(count)]
    fill(Label, [{**shared, "name": one, "name_key": labels.names.name_key(one)} for one in names])


def page(owner: helpers.Browser, path: str) -> str:
    """Return a page that is small and cheap."""
    with counted() as statements:
        answer = owner.get(path)
    assert answer.status_code == 200
    assert len(answer.data) < MOST_BYTES
    assert len(statements) < MOST_STATEMENTS
    return html.unescape(answer.get_data(as_text=True))


def test_labels_come_in_pages_and_are_found(owner: helpers.Browser, workspace: int) -> None:
    add_labels(workspace, labels.MOST)
    here = f"/w/{workspace}/settings/labels"
    assert f"1 to 25 of {labels.MOST}" in page(owner, here)
    assert "476 to 500" in page(owner, f"{here}?page=20")
    assert page(owner, f"{here}?q=LABEL 499").count('class="label-row"') == 1
    assert "No labels found." in page(owner, f"{here}?q=nothing")


def test_one_of_many_labels_is_merged_by_name_and_its_page_is_shown_again(
    owner: helpers.Browser, workspace: int
) -> None:
    add_labels(workspace, 60)
    here = f"/w/{workspace}/settings/labels"
    with db.read() as session:
        ids = {one.name: one.id for one in labels.all_of(session, workspace)}
    assert 'name="into_name" list="label-names"' in page(owner, here)
    wrong = owner.post_form(f"{here}/{ids['Label 059']}/delete", into_name="Label 999")
    assert wrong.status_code == 404
    answer = owner.post_form(f"{here}/{ids['Label 059']}/delete", into_name="label 001")
    assert answer.status_code == 303
    changed = owner.post_form(f"{here}/{ids['Label 058']}", name="Label 058", tone="red")
    assert "51 to 59 of 59" in page(owner, changed.location)


def test_few_labels_are_on_one_page_with_a_select(owner: helpers.Browser, workspace: int) -> None:
    add_labels(workspace, 2)
    text = page(owner, f"/w/{workspace}/settings/labels")
    assert 'name="into"' in text
    assert "label-names" not in text


def test_keys_and_canned_replies_come_in_pages(owner: helpers.Browser, workspace: int) -> None:
    now = clock.now()
    shared = {"workspace_id": workspace, "created_at": now}
    fill(
        ApiKey,
        [
            {**shared, "name": f"Key {n}", "token_hash": f"{n:064}", "hint": "lob_", "scopes": "read"}
            for n in range(300)
        ],
    )
    fill(
        CannedReply,
        [
            {
                **shared,
                **{"shortcut": f"r{n}", "shortcut_key": f"{n:064}", "title": f"Reply {n}"},
                **{"texts": {"default": "Thank you."}, "uses": 0, "changed_at": now},
            }
            for n in range(500)
        ],
    )
    assert "1 to 25 of 100" in page(owner, f"/w/{workspace}/settings/api")
    assert "1 to 25 of 500" in page(owner, f"/w/{workspace}/settings/canned")
    assert "76 to 100 of 100" in page(owner, f"/w/{workspace}/settings/api?page=4")


def test_rules_come_in_pages_and_one_is_moved_across_them(owner: helpers.Browser, workspace: int) -> None:
    now = clock.now()
    rules = [
        {
            **{"id": n, "workspace_id": workspace, "name": f"Rule {n}", "state": RuleState.OFF},
            **{"position": n, "version": 1, "state_at": now, "turns": 0, "created_at": now},
        }
        for n in range(1, 201)
    ]
    fill(Rule, rules)
    said = {"when": "message.received", "conditions": [], "actions": []}
    fill(
        RuleVersion,
        [
            {"rule_id": one["id"], "number": 1, "body": said, "name": one["name"], "author": "Mia", "at": now}
            for one in rules
        ],
    )
    here = f"/w/{workspace}/settings/rules"
    first = page(owner, here)
    assert "1 to 50 of 200" in first
    assert '<span class="rule-n">51</span>' in page(owner, f"{here}?page=2")
    # The page of a rule has those around it.
    assert 'id="rule-120" aria-current="true"' in page(owner, f"{here}/120")
    away = owner.post_form(f"{here}/51/move", to="up")
    assert away.location == f"{here}?shown=51#rule-51"
    moved = page(owner, away.location)
    assert "1 to 50 of 200" in moved
    assert 'id="rule-51"' in moved
