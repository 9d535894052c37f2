"""Settings pages of a workspace that has as much of everything as it can have: none grows with it."""

from __future__ import annotations

import html
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask, url_for

from host.assistants.models import Assistant, AssistantAccount
from host.core import clock, db
from host.inbox import names
from host.inbox.canned.models import Macro
from host.inbox.contacts.models import ContactAttribute
from host.inbox.labels import labels
from host.inbox.labels.models import Label
from host.inbox.teams.models import Team, TeamMember
from host.models.users import Membership, Role, User
from host.rules.models import Rule, RuleState, RuleVersion
from tests import helpers
from tests.web.test_account_picker import MOST_BYTES, MOST_STATEMENTS, counted, offered, ticked
from tests.web.test_account_picker import fill as add_accounts
from tests.web.test_long_lists import add_labels, fill

FIRST = 1_000
"""The number of the first row of each table."""


def fill_all(workspace: int) -> None:
    """Fill a workspace: 500 labels, 600 people, 100 teams, 200 rules, 100 attributes, 100 macros."""
    now = clock.now()
    mine: dict[str, Any] = {"workspace_id": workspace, "created_at": now}
    add_labels(workspace, labels.MOST)
    people = [
        {
            "id": FIRST + n,
            "email": f"agent{n}@example.com",
            "name": f"Agent Number {n:03}",
            "password_hash": "",
            "created_at": now,
        }
        for n in range(600)
    ]
    fill(User, people)
    fill(
        Membership, [{"user_id": one["id"], "workspace_id": workspace, "role": Role.AGENT} for one in people]
    )
    fill(
        Team,
        [
            {**mine, "id": FIRST + n, "name": f"Team {n:03}", "name_key": names.name_key(f"Team {n:03}")}
            for n in range(100)
        ],
    )
    fill(
        TeamMember,
        [
            {
                "team_id": FIRST + n // 600,
                "user_id": FIRST + n % 600,
                "workspace_id": workspace,
                "lead": False,
                "since": now,
            }
            for n in range(3600)
        ],
    )
    fill(
        ContactAttribute,
        [
            {
                **mine,
                "id": FIRST + n,
                "name": f"Attribute {n:03}",
                "name_key": names.name_key(f"Attribute {n:03}"),
                "kind": "text",
            }
            for n in range(100)
        ],
    )
    fill(
        Macro,
        [
            {**mine, "id": FIRST + n, "name": f"Macro {n:03}", "steps": [{"do": "close"}], "changed_at": now}
            for n in range(100)
        ],
    )
    rules = [
        {
            **mine,
            **{"id": FIRST + n, "name": f"Rule {n}", "state": RuleState.OFF, "position": n, "version": 1},
            **{"state_at": now, "turns": 0},
        }
        for n in range(200)
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


@pytest.fixture
def workspace(app: Flask) -> int:
    found = helpers.make_workspace()
    fill_all(found)
    return found


@pytest.fixture
def owner(app: Flask, workspace: int) -> helpers.Browser:
    return helpers.client_for(app, helpers.make_user(workspace=workspace, role=Role.OWNER))


def test_no_settings_page_grows_with_the_workspace(
    app: Flask, workspace: int, owner: helpers.Browser
) -> None:
    ids = add_accounts(workspace, 1_000)
    owner.post_form(f"/w/{workspace}/assistants", name="Shop desk")
    with db.read() as session:
        assistant = session.scalars(sa.select(Assistant.id)).one()
        label = session.scalar(sa.select(sa.func.min(Label.id)))
    now = clock.now()
    kept = {"workspace_id": workspace, "assistant_id": assistant, "mode": "shadow", "answers_on": []}
    fill(AssistantAccount, [{**kept, "account_id": one, "needed": 1, "changed_at": now} for one in ids])
    named = ("user_id", "team_id", "attribute_id", "macro_id", "rule_id")
    values = {
        **{"workspace_id": workspace, "account_id": ids[0], "assistant_id": assistant, "label_id": label},
        **dict.fromkeys(named, FIRST),
    }
    under = f"/w/{workspace}/"
    pages = 0
    with app.test_request_context():
        paths = [
            url_for(rule.endpoint, **{name: values[name] for name in rule.arguments})
            for rule in app.url_map.iter_rules()
            if "GET" in (rule.methods or ()) and "workspace_id" in rule.arguments <= values.keys()
        ]
    for path in paths:
        if not path.startswith(under):
            continue
        with counted() as statements:
            answer = owner.get(path)
        if answer.status_code != 200 or answer.mimetype != "text/html":
            continue
        pages += 1
        assert len(answer.data) < MOST_BYTES, (path, len(answer.data))
        assert len(statements) < MOST_STATEMENTS, (path, len(statements))
        if path.endswith("/assistants"):
            assert "990 more accounts" in answer.text
    assert pages > 40


def test_a_rule_and_a_macro_offer_what_was_looked_for_and_what_they_name(
    owner: helpers.Browser, workspace: int
) -> None:
    with db.read() as session:
        ids = {one.name: one.id for one in labels.all_of(session, workspace)}
    chosen, wanted, other = ids["Label 300"], ids["Label 444"], ids["Label 333"]
    forms = {
        "rules": (
            {"if": f"label:{chosen}", "when": "message.received", "join": "and", "if_text": ""},
            "label:",
        ),
        "macros": ({"step": f"label:{chosen}", "text": ""}, "label:"),
    }
    for path, (fields, kind) in forms.items():
        here = f"/w/{workspace}/settings/{path}"
        text = owner.post_form(f"{here}/new", name="Mine", option_find="label 444", **fields).text
        assert f'value="{kind}{chosen}" selected' in text, path
        assert f'value="{kind}{wanted}"' in text, path
        assert f'value="{kind}{other}"' not in text, path
        assert "Mine" not in owner.get(here).text, "nothing was saved"
        # What a script looks for.
        answer = owner.get(f"{here}/choices?q=444").get_json()
        offered = [value for options in answer["options"].values() for value, *_more in options]
        assert f"{kind}{wanted}" in offered
        assert f"{kind}{other}" not in offered
        nobody = owner.get(f"{here}/choices?q=agent number 444").get_json()
        assert any(one.startswith("assign") for options in nobody["options"].values() for one, *_ in options)


def test_members_of_a_team_are_looked_for_and_kept(owner: helpers.Browser, workspace: int) -> None:
    here = f"/w/{workspace}/settings/teams/{FIRST}"
    everybody = [FIRST + n for n in range(200)]
    owner.post_form(here, name="Day", member=",".join(map(str, everybody)), lead=str(FIRST + 150))
    text = html.unescape(owner.get(here).text)
    assert ticked(text, "member") == everybody
    assert ticked(text, "lead") == [FIRST + 150], "one who leads has a row"
    again = {"name": "Day", "member": str(FIRST + 3), "lead": str(FIRST + 3)}
    text = html.unescape(owner.post_form(here, person_find="NUMBER 555", **again).text)
    assert set(offered(text, "member")) == {FIRST + 3, FIRST + 555}
    assert ticked(text, "lead") == [FIRST + 3]
    assert ticked(html.unescape(owner.get(here).text), "member") == everybody
    found = owner.get(f"/w/{workspace}/person-choices?q=number 555").get_json()
    assert found["choices"] == [{"id": FIRST + 555, "name": "Agent Number 555", "channel": ""}]


def test_labels_of_an_endpoint_are_looked_for_and_kept(owner: helpers.Browser, workspace: int) -> None:
    with db.read() as session:
        ids = [one.id for one in labels.all_of(session, workspace)]
    fields = {"url": "https://example.com", "events": "*", "labels": f"{ids[7]},{ids[9]}"}
    here = f"/w/{workspace}/settings/integrations/new"
    text = html.unescape(owner.post_form(here, label_find="label 444", **fields).text)
    assert ticked(text, "labels") == [ids[7], ids[9]]
    assert set(offered(text, "labels")) == {ids[7], ids[9], ids[444]}
    found = owner.get(f"/w/{workspace}/label-choices?q=label 444").get_json()
    assert [one["id"] for one in found["choices"]] == [ids[444]]


def test_attributes_come_in_pages(owner: helpers.Browser, workspace: int) -> None:
    here = f"/w/{workspace}/settings/attributes"
    assert "1 to 25 of 100" in owner.get(here).text
    changed = owner.post_form(f"{here}/{FIRST + 60}", name="Attribute 060")
    assert "51 to 75 of 100" in owner.get(changed.location).text


def test_the_playground_looks_for_an_account(owner: helpers.Browser, workspace: int) -> None:
    ids = add_accounts(workspace, 60)
    owner.post_form(f"/w/{workspace}/assistants", name="Shop desk")
    with db.read() as session:
        assistant = session.scalars(sa.select(Assistant.id)).one()
    kept = {"workspace_id": workspace, "assistant_id": assistant, "mode": "shadow", "answers_on": []}
    fill(
        AssistantAccount, [{**kept, "account_id": one, "needed": 1, "changed_at": clock.now()} for one in ids]
    )
    here = f"/w/{workspace}/assistants/{assistant}/playground"
    assert f'<option value="{ids[59]}"' not in owner.get(here).text
    text = owner.post_form(here, ask="Hello?", account=str(ids[0]), account_find="0059").text
    assert f'<option value="{ids[59]}"' in text
    assert f'<option value="{ids[0]}" selected' in text
    assert "Hello?</textarea>" in text, "nothing was asked"
    found = owner.get(f"{here}/accounts?q=0059").get_json()
    assert [one["id"] for one in found["choices"]] == [ids[59]]
