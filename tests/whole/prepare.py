"""Prepare an installation as its operator could: people, workspaces, an active addon, connected accounts.

A program of its own, run beside or before the desk with the desk's environment; it reads what to make as JSON
from its standard input and prints the ids of what it made. Where a test is about the pages that do this, it
uses the pages instead.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from host.addons import lifecycle, preinstalled
from host.channels import connecting
from host.core import clock, config, db, migrations
from host.events.models import ActorKind
from host.models.users import Role
from host.process.serving import HostApplication
from host.rules import rules as rule_cases
from host.rules.body import given
from host.rules.models import RuleState
from host.sdk.cards import Connection, ConnectRequest
from host.users import api_keys, members, passwords, users, workspaces
from host.users.actor import Actor, UnitOfWork
from host.users.api_keys import Scope

IDLE = {"HEAD", "OPTIONS"}


def make_people(wanted: dict[str, Any]) -> dict[str, Any]:
    """Add the workspaces named and the people: email, name, admin, and roles by workspace."""
    password = passwords.hashed(wanted["password"])

    def use_case(session: Session) -> dict[str, Any]:
        made = {name: workspaces.create(session, name, None).id for name in wanted["workspaces"]}
        people = {}
        for one in wanted["people"]:
            user = users.create(
                session, one["email"], one["name"], password, is_admin=one.get("admin", False)
            )
            people[one["email"]] = user.id
            for name, role in one.get("roles", {}).items():
                members.add(session, made[name], user.id, Role(role))
        return {"workspaces": made, "people": people}

    return db.write(use_case)


def connect(application: HostApplication, wanted: dict[str, Any], homes: dict[str, int]) -> int:
    """Connect one account as Save on its card does, checks with the provider included.

    :param homes: the workspaces just made, by name; an account may ask for one of them so, or by its id.
    """
    home = homes.get(wanted["workspace"], wanted["workspace"])
    generation = application.refresh()
    card = generation.directory.card(wanted["channel"])
    assert card is not None, wanted["channel"]
    values = {field.name: "" for field in card.fields} | wanted["values"]
    with generation.app.test_request_context():
        made = card.connect(ConnectRequest(home, None, values, lambda _external_id: None, by_admin=True))
    assert isinstance(made, Connection), made
    account = connecting.save(workspace_id=home, channel=wanted["channel"], connection=made)
    with generation.app.test_request_context():
        for action in card.actions:
            if action.name in wanted.get("actions", {}):
                action.run(account, wanted["actions"][action.name])
    return account.id


def make_rule(application: HostApplication, wanted: dict[str, Any]) -> None:
    """Add a rule that is on: workspace, name and body, as the API has it."""
    directory, home = application.refresh().directory, wanted["workspace"]

    def create(session: Session) -> None:
        work = UnitOfWork(session, home, Actor(ActorKind.SYSTEM, person="Ada Admin"), clock.now())
        what = rule_cases.there(session, home, directory)
        body = given(wanted["body"])
        rule_cases.create(work, name=wanted["name"], body=body, what=what, state=RuleState.LIVE)

    db.write(create)


def _make_key(session: Session, home: int, owner: int) -> str:
    work = UnitOfWork(session, home, Actor(ActorKind.USER, owner), clock.now())
    return api_keys.create(work, "Shop", tuple(Scope))


def main() -> None:
    wanted = json.load(sys.stdin)
    configuration = config.load()
    configuration.data.mkdir(parents=True, exist_ok=True)
    if wanted.get("migrate"):
        migrations.upgrade_host(configuration.database_url)
    application = HostApplication(configuration)
    if wanted.get("migrate"):
        preinstalled.provide(configuration)
    told: dict[str, Any] = make_people(wanted) if "people" in wanted else {}
    if "zip" in wanted:
        release = lifecycle.install_file(configuration, Path(wanted["zip"]))
        outcome = lifecycle.activate(configuration, release.slug, host=application)
        assert outcome.ok, outcome
    if wanted.get("routes"):
        rules = application.refresh().app.url_map.iter_rules()
        told["routes"] = [
            f"{method} {rule.rule}"
            for rule in rules
            for method in sorted(rule.methods or ())
            if method not in IDLE
        ]
    for one in wanted.get("rules", ()):
        make_rule(application, one)
    homes = told.get("workspaces", {})
    for home, owner in wanted.get("keys", {}).items():
        told.setdefault("keys", {})[home] = db.write(_make_key, homes[home], told["people"][owner])
    told["accounts"] = [connect(application, one, homes) for one in wanted.get("connect", ())]
    print(json.dumps(told))


if __name__ == "__main__":
    main()
