"""The pages on which accounts are chosen, in a workspace with very many: their cost, and who finds which."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.orm import Session

from host.core import clock, db
from host.models.channels import AccountState, ChannelAccount
from host.models.users import Role, User
from host.users import members
from host.web import account_picker
from tests import helpers

MANY = 2_000
MOST_BYTES = 150_000
MOST_STATEMENTS = 40


@contextmanager
def counted() -> Iterator[list[str]]:
    """Note every statement that reaches a database meanwhile."""
    statements: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        statements.append(statement)

    sa.event.listen(sa.engine.Engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        sa.event.remove(sa.engine.Engine, "before_cursor_execute", note)


def fill(workspace: int, count: int, name: str = "Shop", channel: str = "toy") -> list[int]:
    """Add connected accounts to a workspace with one statement, and return their ids."""
    now = clock.now()
    rows = [
        {
            "uuid": f"{workspace:08}{number:024}",
            "workspace_id": workspace,
            "channel": channel,
            "external_id": f"{workspace}.{number}",
            "claim": f"{channel}:{workspace}.{number}",
            "name": f"{name} {number:04}",
            "handle": f"@{name.lower()}.{number:04}",
            "way": "",
            "state": AccountState.CONNECTED,
            "settings": {},
            "created_at": now,
            "connected_at": now,
        }
        for number in range(count)
    ]

    def use_case(session: Session) -> list[int]:
        session.execute(sa.insert(ChannelAccount), rows)
        mine = ChannelAccount.workspace_id == workspace
        return list(session.scalars(sa.select(ChannelAccount.id).where(mine).order_by(ChannelAccount.id)))

    return db.write(use_case)


@pytest.fixture
def workspace(app: Flask) -> int:
    return helpers.make_workspace()


@pytest.fixture
def owner(app: Flask, workspace: int) -> helpers.Browser:
    return helpers.client_for(app, helpers.make_user(workspace=workspace, role=Role.OWNER))


@pytest.fixture
def agent(app: Flask, workspace: int) -> User:
    return helpers.make_user(workspace=workspace)


def page(answer: Any) -> str:
    assert answer.status_code in {200, 303, 302}, answer.status_code
    return html.unescape(answer.get_data(as_text=True))


def ticked(text: str, name: str = "account") -> list[int]:
    """Return the ids that a form would send: of ticks, and of those without a row."""
    fields = re.findall(rf'<input[^>]*name="{name}"[^>]*>', text)
    values = [
        value[1]
        for field in fields
        if "checkbox" not in field or re.search(r"\schecked", field)
        if (value := re.search(r'value="([\d,]*)"', field))
    ]
    return sorted(int(one) for value in values for one in value.split(",") if one)


def offered(text: str, name: str = "account") -> list[int]:
    """Return the ids that have a tick."""
    return [
        int(value[1])
        for field in re.findall(rf'<input[^>]*type="checkbox" name="{name}"[^>]*>', text)
        if (value := re.search(r'value="(\d+)"', field))
    ]


def test_what_a_page_costs_does_not_depend_on_the_accounts(
    owner: helpers.Browser, workspace: int, agent: User
) -> None:
    ids = fill(workspace, MANY)
    here = f"/w/{workspace}"
    owner.post_form(f"{here}/settings/teams", name="Day")
    limit(workspace, agent, ids[100:])  # most accounts are chosen, too
    team = re.search(r"/teams/(\d+)", page(owner.get(f"{here}/settings/teams")))
    assert team is not None
    owner.post_form(f"{here}/settings/teams/{team[1]}", name="Day", account=",".join(map(str, ids)))
    paths = (
        *("settings/people", f"settings/people/{agent.id}", "settings/teams", f"settings/teams/{team[1]}"),
        *("settings/integrations/new", "settings/rules/new", "reports", f"reports?account={ids[-1]}"),
        *("reports?by=account", "settings/channels", "settings/rules/new?from=campaign", "search", "inbox"),
    )
    for path in paths:
        with counted() as statements:
            answer = owner.get(f"{here}/{path}")
        assert answer.status_code == 200, path
        assert len(answer.data) < MOST_BYTES, (path, len(answer.data))
        assert len(statements) < MOST_STATEMENTS, (path, len(statements))


def limit(workspace: int, person: User, ids: list[int]) -> None:
    """Let somebody see the accounts *ids* alone."""
    db.write(
        lambda session: members.set_accounts(session, workspace, person.id, frozenset(ids), by_teams=False)
    )


def test_few_accounts_are_all_shown_and_there_is_nothing_to_look_for(
    owner: helpers.Browser, workspace: int
) -> None:
    ids = fill(workspace, 2)
    text = page(owner.get(f"/w/{workspace}/settings/people"))
    assert offered(text) == ids
    assert "data-account-picker" not in text


def test_what_is_chosen_stays_chosen_whatever_is_shown(
    owner: helpers.Browser, workspace: int, agent: User
) -> None:
    ids = fill(workspace, 200)
    chosen = ids[20:180]
    limit(workspace, agent, chosen)
    here = f"/w/{workspace}/settings/people/{agent.id}"
    text = page(owner.get(here))
    assert ticked(text) == chosen
    assert len(offered(text)) == account_picker.MOST_CHOSEN + account_picker.MOST_FOUND
    assert "110 more are chosen" in text
    fields = {"role": "agent", "see": "some", "account": ",".join(map(str, ticked(text)))}
    owner.post_form(f"{here}/role", **fields)
    assert ticked(page(owner.get(here))) == chosen


def test_without_a_script_the_form_looks_and_saves_nothing(
    owner: helpers.Browser, workspace: int, agent: User
) -> None:
    ids = fill(workspace, 60)
    here = f"/w/{workspace}/settings/people/{agent.id}"
    fields = {"role": "auditor", "see": "some", "account": [str(ids[3])], "account_found": ""}
    # By the button, and by Enter in the field.
    for more in ({"account_look": "1"}, {}):
        text = page(owner.post_form(f"{here}/role", account_find="SHOP.0059", **fields, **more))
        assert ticked(text) == [ids[3]]
        assert set(offered(text)) == {ids[3], ids[59]}
        assert 'value="auditor" checked' in text
        assert ticked(page(owner.get(here))) == []
    saved = {**fields, "role": "agent", "account_found": "shop.0059", "account_find": "shop.0059"}
    owner.post_form(f"{here}/role", **{**saved, "account": [str(ids[3]), str(ids[59])]})
    assert ticked(page(owner.get(here))) == [ids[3], ids[59]]


def test_one_that_was_chosen_is_found_and_can_be_removed(
    owner: helpers.Browser, workspace: int, agent: User
) -> None:
    ids = fill(workspace, 200)
    limit(workspace, agent, ids)
    here = f"/w/{workspace}/settings/people/{agent.id}"
    fields = {"role": "agent", "see": "some", "account": ",".join(map(str, ids))}
    text = page(owner.post_form(f"{here}/role", account_find="shop.0199", **fields))
    assert ticked(text) == ids
    assert ids[199] in offered(text)


@pytest.mark.parametrize(
    ("path", "fields", "name"),
    [
        ("settings/people/invite", {"email": "kim@example.com", "role": "agent", "see": "some"}, "account"),
        ("settings/integrations/new", {"url": "https://example.com", "events": "*"}, "accounts"),
    ],
)
def test_each_form_looks_and_keeps_what_was_typed(
    owner: helpers.Browser, workspace: int, path: str, fields: dict[str, str], name: str
) -> None:
    ids = fill(workspace, 60)
    given = {**fields, name: str(ids[2]), "account_find": "shop.0041"}
    text = page(owner.post_form(f"/w/{workspace}/{path}", **given))
    assert ticked(text, name) == [ids[2]]
    assert set(offered(text, name)) == {ids[2], ids[41]}
    assert fields.get("email", fields.get("url", "")) in text


def test_a_team_looks_and_keeps_what_was_typed(owner: helpers.Browser, workspace: int) -> None:
    ids = fill(workspace, 60)
    away = owner.post_form(f"/w/{workspace}/settings/teams", name="Day").location
    fields = {"name": "Night", "account": [str(ids[2])], "account_find": "shop.0041"}
    text = page(owner.post_form(away, **fields))
    assert 'value="Night"' in text
    assert set(offered(text)) == {ids[2], ids[41]}
    assert ticked(page(owner.get(away))) == []
    owner.post_form(away, name="Night", account=f"{ids[2]},{ids[41]}")
    assert ticked(page(owner.get(away))) == [ids[2], ids[41]]


def test_a_rule_offers_accounts_that_were_looked_for_and_the_one_it_names(
    owner: helpers.Browser, workspace: int
) -> None:
    ids = fill(workspace, 60)
    here = f"/w/{workspace}/settings/rules/new"
    assert f'value="account:{ids[41]}"' not in page(owner.get(here))
    fields = {"name": "R", "when": "message.received", "join": "and", "if_text": "", "state": "shadow"}
    text = page(owner.post_form(here, **fields, **{"if": f"account:{ids[50]}"}, option_find="SHOP.0041"))
    assert f'value="account:{ids[41]}"' in text
    assert f'value="account:{ids[50]}" selected' in text
    assert f'value="account:{ids[42]}"' not in text


def test_reports_offer_accounts_that_were_looked_for_and_the_chosen_one(
    owner: helpers.Browser, workspace: int
) -> None:
    ids = fill(workspace, 60)
    text = page(owner.get(f"/w/{workspace}/reports?account={ids[50]}&account_find=shop.0041"))
    form = text[text.index('class="chooser"') :]
    assert re.findall(r'<option value="(\d+)"', form)[:2] == [str(ids[41]), str(ids[50])]
    assert f'<option value="{ids[50]}" selected' in form


def found(browser: helpers.Browser, workspace: int, q: str = "", **more: str) -> list[str]:
    answer = browser.get(f"/w/{workspace}/account-choices", query_string={"q": q, **more})
    assert answer.status_code == 200
    return [one["name"] for one in answer.get_json()["choices"]]


def test_the_desk_looks_for_accounts_of_this_workspace_alone(
    app: Flask, owner: helpers.Browser, workspace: int, agent: User
) -> None:
    ids = fill(workspace, 60)
    other = helpers.make_workspace("Studio")
    theirs = fill(other, 3, "Secret")
    assert found(owner, workspace, "0041") == ["@shop.0041"]
    assert found(owner, workspace, "secret") == []
    assert owner.get(f"/w/{workspace}/account-choices?q=shop").get_json()["found"] == 60
    assert len(found(owner, workspace)) == account_picker.MOST_FOUND
    assert owner.get(f"/w/{other}/account-choices").status_code == 404
    # Somebody who sees some accounts finds these.
    limit(workspace, agent, ids[:2])
    assert found(helpers.client_for(app, agent), workspace) == ["@shop.0000", "@shop.0001"]
    # Nor is an account of elsewhere chosen.
    person = f"/w/{workspace}/settings/people/{agent.id}"
    answer = owner.post_form(f"{person}/role", role="agent", see="some", account=f"{ids[0]},{theirs[0]}")
    assert answer.status_code == 404
    assert ticked(page(owner.get(person))) == ids[:2]
    text = page(owner.post_form(f"{person}/role", see="some", account=str(theirs[0]), account_look="1"))
    assert str(theirs[0]) not in map(str, ticked(text))
    assert "Secret" not in text


def test_disconnected_accounts_are_found_but_not_for_a_rule(owner: helpers.Browser, workspace: int) -> None:
    ids = fill(workspace, 30)

    def use_case(session: Session) -> None:
        row = session.get_one(ChannelAccount, ids[7])
        row.state, row.claim = AccountState.DISCONNECTED, None

    db.write(use_case)
    assert found(owner, workspace, "0007") == ["@shop.0007"]
    for_rules = owner.get(f"/w/{workspace}/settings/rules/choices?q=shop 00").get_json()
    offered = [value for options in for_rules["options"].values() for value, *_words in options]
    assert f"account:{ids[6]}" in offered
    assert f"account:{ids[7]}" not in offered
