"""Deleting what something uses: the dialog names the users, and lists, proofs and runs say what is gone."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest
import sqlalchemy as sa

from host.automation.actions import (
    AddLabel,
    AddonDoes,
    AssignTo,
    GiveToTeam,
    RemoveLabel,
    RunMacro,
    SendReply,
    SetAttribute,
)
from host.core import clock, db
from host.features import registry
from host.features.use import KEYS, named
from host.inbox.canned import macros
from host.inbox.canned.replies import Viewer
from host.inbox.labels import labels
from host.models.api_keys import ApiKey
from host.models.saved_views import SavedView
from host.models.users import Role
from host.rules import body as rules
from host.rules.models import Rule, RuleState, RuleVersion
from host.sequences import body as bodies
from host.sequences.body import Act, Hand
from host.sequences.models import SequenceVersion, SequenceVisit
from host.users.actor import DESK
from tests import helpers
from tests.helpers import do, work
from tests.sequences.sequenced import Sequenced
from tests.sequences.test_hard import begin
from tests.sequences.test_pages import path

PEOPLE = Hand(id="people")


@pytest.fixture
def owner(sequenced: Sequenced) -> helpers.Browser:
    person = helpers.make_user(name="Olu O.", workspace=sequenced.desk.workspace, role=Role.OWNER)
    return helpers.client_for(sequenced.desk.app, person)


def place(desk: Sequenced) -> dict[str, Any]:
    return {"workspace_id": desk.desk.workspace, "actor": DESK}


def a_rule(desk: Sequenced, label: int) -> None:
    def use_case(session: Any) -> None:
        now = clock.now()
        row = Rule(
            workspace_id=desk.desk.workspace,
            name="Night",
            state=RuleState.LIVE,
            position=1,
            version=1,
            state_at=now,
            created_at=now,
        )
        session.add(row)
        session.flush()
        body = rules.plain(rules.Body(when="message.received", actions=(AddLabel(label),)))
        session.add(RuleVersion(rule_id=row.id, number=1, body=body, author="Ada", at=now))

    db.write(use_case)


def rest(desk: Sequenced, label: int) -> None:
    """Let a macro, two views and a key name a label."""

    def use_case(session: Any) -> None:
        now, workspace = clock.now(), desk.desk.workspace
        viewer = Viewer(None, keeps=True)
        macros.create(work(session, workspace), viewer, name="Tidy", steps=(RemoveLabel(label),), shared=True)
        condition = {"no_labels": [label]}
        more: dict[str, Any] = {"workspace_id": workspace, "condition": condition, "created_at": now}
        session.add(SavedView(name="Untold", position=1, **more))
        session.add(SavedView(name="Secret plans", owner_id=desk.desk.mia.id, position=1, **more))

    db.write(use_case)


def of(answer: Any, kind: str) -> str:
    """Return what the dialog says below its question."""
    found = re.search(r"<template data-ask-more>(.*?)</template>", answer.text, re.DOTALL)
    assert found, f"the page of {kind} names nobody"
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", found[1])).split())


def test_the_dialog_names_what_uses_a_label(sequenced: Sequenced, owner: helpers.Browser) -> None:
    desk = sequenced
    label = desk.label("Glaze")
    page = f"/w/{desk.desk.workspace}/settings/labels"
    assert "data-ask-more" not in owner.get(page).text, "nothing uses it"
    sequence = desk.sequence(Act(id="label", action=AddLabel(label)), PEOPLE, name="Welcome")
    a_rule(desk, label)
    rest(desk, label)
    answer = owner.get(page)
    said = of(answer, "labels")
    for one in ("Sequence Welcome (live)", "Rule Night (live)", "Macro Tidy", "View Untold"):
        assert one in said, said
    assert said.endswith("Someone’s personal view"), "what isn't named is last"
    assert "Secret plans" not in answer.text, "what is somebody else's isn't named"
    assert f'href="{path(desk, sequence)}"' in answer.text


def test_the_dialogs_of_the_others_name_their_users(sequenced: Sequenced, owner: helpers.Browser) -> None:
    desk = sequenced
    attribute, team = desk.attribute("Number"), desk.team(desk.desk.mia.id)
    desk.sequence(
        Act(id="set", action=SetAttribute(attribute, "x")),
        Act(id="give", action=GiveToTeam(team)),
        PEOPLE,
        name="Welcome",
    )
    for page in ("attributes", f"teams/{team}"):
        answer = owner.get(f"/w/{desk.desk.workspace}/settings/{page}")
        assert "Sequence Welcome (live)" in of(answer, page)


def test_each_kind_of_action_is_found_by_its_id() -> None:
    """Every action and condition that refers to something is counted as a use of it."""
    cases = {
        "label": AddLabel(7),
        "team": GiveToTeam(7),
        "reply": SendReply(7),
        "macro": RunMacro(7),
        "attribute": SetAttribute(7),
        "endpoint": rules.Call(7),
        "sequence": rules.StartSequence(7),
    }
    for kind, action in cases.items():
        body = rules.plain(rules.Body(when="message.received", actions=(action,)))  # type: ignore[arg-type]
        assert {one for one in KEYS if named(body, one)} == {kind}
        assert named(body, kind) == {7}


def test_a_deleted_label_is_red_in_lists_fails_the_proof_and_is_noted_by_runs(
    sequenced: Sequenced, owner: helpers.Browser
) -> None:
    desk = sequenced
    label = desk.label("Glaze")
    id_ = desk.sequence(
        Act(id="add", action=AddLabel(label)), Act(id="remove", action=RemoveLabel(label)), PEOPLE
    )
    a_rule(desk, label)
    do(labels.delete, desk.desk.workspace, label)
    listed = owner.get(path(desk)).text
    assert "t-bad" in listed
    assert "Add a deleted label · What this step refers to was deleted." in listed
    assert "Remove a deleted label · What this step refers to was deleted." in listed
    assert "Add a deleted label" in owner.get(f"/w/{desk.desk.workspace}/settings/rules").text
    page = owner.get(path(desk, id_)).text
    assert "What this step refers to was deleted." in page
    assert owner.post_form(path(desk, f"{id_}/publish")).status_code == 400
    begin(desk)
    desk.run()
    with db.read() as session:
        refused = session.execute(sa.select(SequenceVisit.step, SequenceVisit.refused)).all()
    assert dict(refused[:2]) == {"add": "label_not_found", "remove": "label_not_found"}


def test_the_list_says_the_reason_and_not_that_all_was_deleted(
    sequenced: Sequenced, owner: helpers.Browser
) -> None:
    desk = sequenced
    desk.sequence(Act(id="pay", action=AssignTo(desk.desk.mia.id)), PEOPLE)
    body = bodies.plain(bodies.Body(steps=(Act(id="pay", action=AddonDoes("till.pay")), PEOPLE)))
    db.write(lambda session: session.execute(sa.update(SequenceVersion).values(body=body)) and None)
    listed = owner.get(path(desk)).text
    assert "The addon that provides this action is not active." in listed
    assert "deleted" not in re.sub(r"<script.*?</script>", "", listed, flags=re.DOTALL)


def test_a_person_who_is_removed_is_named_by_sequences_and_macros_too(
    sequenced: Sequenced, owner: helpers.Browser
) -> None:
    desk = sequenced
    mia = desk.desk.mia.id
    desk.sequence(Act(id="give", action=AssignTo(mia)), PEOPLE, name="Welcome")

    viewer = Viewer(None, keeps=True)
    do(macros.create, desk.desk.workspace, viewer, name="To Mia", steps=(AssignTo(mia),), shared=True)
    asked = owner.post_form(f"/w/{desk.desk.workspace}/settings/people/{mia}/remove").text
    said = " ".join(re.sub(r"<[^>]+>", "", asked).split())
    assert "2 things that refer to them are kept, but skip steps that involve them." in said
    assert "Sequence Welcome (live)" in said
    assert "Macro To Mia" in said


def test_a_key_limited_to_a_team_is_named(sequenced: Sequenced) -> None:
    desk = sequenced
    team = desk.team(desk.desk.mia.id)

    def use_case(session: Any) -> None:
        session.add(
            ApiKey(
                workspace_id=desk.desk.workspace,
                name="Stock",
                token_hash="x",
                hint="x",
                scopes="",
                limited_to={"accounts": [], "teams": [team]},
                created_at=clock.now(),
            )
        )

    db.write(use_case)
    with db.read() as session:
        found = registry.hooks().uses(
            session=session, workspace_id=desk.desk.workspace, kind="team", user_id=None
        )
    assert [use.name for one in found for use in one.get(team, ())] == ["Stock"]
