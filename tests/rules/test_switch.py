"""While rules are off none runs, nothing leads to them, and what they stored is looked after all the same."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from host.addons import switching
from host.api.http import openapi
from host.core import clock, db
from host.features import registry
from host.features.using import gathered
from host.models.users import Role
from tests import helpers
from tests.rules.below import LINK, Below, open_below
from tests.rules.ruled import Ruled

SAY = {"do": "say", "text": "We look at it."}
PLACES = (
    *("inbox", "settings/channels", "settings/macros", "settings/labels", "settings/api", "settings/audit"),
    *("settings/people", "settings/automation"),
)
"""Pages of a workspace that others lead on from."""


@pytest.fixture(autouse=True)
def _on_again() -> Iterator[None]:
    yield
    registry.switch_off(())


@pytest.fixture
def below(database: db.Database, data: Path) -> Below:
    return open_below(data)


def test_its_pages_its_routes_and_the_way_there_are_gone(automated: Ruled, data: Path) -> None:
    desk = automated.desk
    owner = helpers.make_user(name="Olu O.", workspace=desk.workspace, role=Role.OWNER)
    addresses, places, paths = {}, {}, {}
    for off in ((), ("rules",)):
        registry.switch_off(off)
        app = helpers.build_app(data, generation=desk.generation)
        browser = helpers.client_for(app, owner)
        answers = [browser.get(f"/w/{desk.workspace}/{one}") for one in PLACES]
        addresses[off] = {one.rule for one in app.url_map.iter_rules()}
        pages = [one.get_data(as_text=True) for one in answers if one.status_code == 200]
        places[off] = [f"/settings/{one}" in page for page in pages for one in ("rules", "campaigns")]
        paths[off] = set(openapi.document("")["paths"])
    gone = addresses[()] - addresses[("rules",)]
    assert gone, "it has some"
    theirs = {one for one in addresses[()] if {"rules", "campaigns"} & set(one.split("/"))}
    assert theirs - {"/admin/desk/rules"} == gone
    assert any(places[()])
    assert not any(places[("rules",)])
    assert {one.split("/")[1] for one in paths[()] - paths[("rules",)]} == {"rules", "campaigns"}


def test_none_runs_and_they_begin_again_with_what_comes_then(automated: Ruled) -> None:
    desk = automated
    rule = desk.rule(SAY)
    desk.said("ana")
    desk.run()
    registry.switch_off(["rules"])
    desk.said("bob")
    desk.run()
    registry.switch_off(())
    desk.said("cem")
    desk.run()
    assert [len(desk.automatic(one)) for one in ("ana", "bob", "cem")] == [1, 0, 1]
    assert len(desk.ran(rule)) == 2


def test_what_was_due_is_not_done_and_holds_nothing_up(automated: Ruled) -> None:
    desk = automated
    desk.set(greets=True, greeting="Hello")
    desk.rule(SAY)
    desk.rule(SAY, when="conversation.unanswered", hours=1)
    desk.said("ana")
    desk.read()
    registry.switch_off(["rules"])
    desk.run()
    with clock.travel(timedelta(hours=2)):
        desk.run()
    assert desk.automatic("ana") == ["Hello"]
    assert sorted((kind, state, why) for kind, state, _what, why in desk.runs()) == [
        ("rules", "skipped", "off"),
        ("wait", "skipped", "off"),
        ("words", "done", "greets"),
    ]


def test_what_was_to_be_done_later_is_canceled_and_not_done_when_they_are_on_again(automated: Ruled) -> None:
    desk = automated
    desk.rule(SAY, when="conversation.unanswered", hours=1)
    desk.said("ana")
    desk.run()
    assert not switching.let_go(desk.desk.generation.directory)
    registry.switch_off(["rules"])
    switching.let_go(desk.desk.generation.directory)
    registry.switch_off(())
    with clock.travel(timedelta(hours=2)):
        desk.run()
    assert desk.automatic("ana") == []


def test_a_public_answer_that_waits_is_not_given_and_its_person_says_why(below: Below) -> None:
    desk = below
    campaign = desk.campaign()
    desk.comments("ana", "tide")
    desk.run()
    registry.switch_off(["rules"])
    desk.sends()
    with clock.travel(timedelta(hours=2)):
        desk.run()
    assert desk.ours() == [(LINK, True)]
    assert desk.got(campaign) == {"ana": ("got", "off", 1)}


def test_who_leaves_is_told_of_them_names_stay_and_no_addon_stops_one(automated: Ruled) -> None:
    desk = automated
    rule = desk.rule({"do": "tell", "person": desk.desk.mia.id})
    registry.switch_off(["rules"])
    hooks, workspace = registry.hooks(), desk.desk.workspace
    with db.read() as session:
        named = gathered(session, workspace, "person")[desk.desk.mia.id]
        assert [one.name for one in named] == ["Broken"]
        assert session.execute(registry.names_of("rules")).all() == [(rule, "Broken")]
        stops = hooks.stopped_without(
            session=session, workspace_id=workspace, directory=desk.desk.generation.directory, channels=()
        )
    assert [one for some in stops for one in some if one[0] != "assistant"] == []
