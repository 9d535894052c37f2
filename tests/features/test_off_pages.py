"""While a feature is off, its addresses say who turned it off, when, and what is kept."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest
import sqlalchemy as sa

from host.addons import switching
from host.addons.off_pages import ASKED
from host.api.http import declare
from host.core import db
from host.events.models import ActorKind
from host.features import registry
from host.models.notifications import Notification
from host.models.users import Role, User
from host.users.actor import Actor
from host.users.roles import Permission
from tests import helpers
from tests.helpers import StandInGeneration, build_app, client_for, make_config, make_user, make_workspace

BELOW = "/w/<int:workspace_id>/"


class FeaturePage(NamedTuple):
    """A page of a feature.

    :param path: below its workspace.
    :param to_agents: whether an agent may open it.
    """

    path: str
    to_agents: bool


def page_of(name: str, data: Path) -> FeaturePage:
    """Return a page of a feature, one that agents may not open if it has one; call it while all are on."""
    package = f"{next(one.package for one in registry.features() if one.name == name)}."
    app = build_app(data, generation=StandInGeneration())
    found = []
    for rule in app.url_map.iter_rules():
        view = app.view_functions[rule.endpoint]
        is_page = "GET" in (rule.methods or ()) and rule.arguments == {"workspace_id"}
        if is_page and rule.rule.startswith(BELOW) and view.__module__.startswith(package):
            needs = view.lobby_needs  # type: ignore[attr-defined]
            found.append(FeaturePage(rule.rule.removeprefix(BELOW), needs is Permission.READ))
    return min(found, key=lambda page: (page.to_agents, len(page.path)))


def off(name: str, data: Path, admin: User) -> None:
    actor = Actor(ActorKind.USER, admin.id)
    assert switching.switch(name, on=False, config=make_config(data), actor=actor)
    registry.switch_off([name])


@pytest.fixture
def ada(database: db.Database) -> User:
    return make_user("ada@example.com", name="Ada A.", is_admin=True)


@pytest.mark.parametrize("name", sorted(registry.optional()))
def test_its_pages_say_who_turned_it_off(ada: User, data: Path, name: str) -> None:
    owner = make_user("olu@example.com", workspace=(workspace := make_workspace()), role=Role.OWNER)
    stranger = make_user("sam@example.com", workspace=make_workspace(), role=Role.OWNER)
    agent = make_user("ari@example.com", workspace=workspace, role=Role.AGENT)
    page = page_of(name, data)
    off(name, data, ada)
    app = build_app(data, generation=StandInGeneration())
    address = f"/w/{workspace}/{page.path}"
    answer = client_for(app, owner).get(address)
    title = registry.optional()[name].title
    assert answer.status_code == 404
    assert f"Ada A. turned off {title} on " in answer.text
    assert "Ask the admins to turn it on" in answer.text
    assert "not a member" not in answer.text
    as_json = client_for(app, owner).get(address, headers={"Accept": "application/json"})
    assert as_json.json["error"]["code"] == "feature_off"
    assert "Ada A." in as_json.json["error"]["message"]
    assert "Ada A." not in client_for(app, stranger).get(address).text
    to_agent = client_for(app, agent).get(address).status_code
    assert to_agent == (404 if page.to_agents else 403), "as while it is on"
    assert helpers.browser(app).get(address).status_code == 302
    registry.switch_off(())
    assert (
        "turned off"
        not in client_for(build_app(data, generation=StandInGeneration()), owner).get(address).text
    )


def notices() -> list[tuple[str, str, str]]:
    """Return whom each unread notification is for, what it says, and where it leads."""
    with db.read() as session:
        query = (
            sa.select(User.name, Notification.sentence, Notification.path)
            .join(User, User.id == Notification.user_id)
            .where(Notification.read_at.is_(None))
            .order_by(Notification.id)
        )
        return [(name, sentence, path) for name, sentence, path in session.execute(query)]


def test_owners_and_leads_are_told_once_until_it_is_on_again(ada: User, data: Path) -> None:
    first, second = make_workspace(), make_workspace("Shop")
    owner = make_user(name="Olu O.", workspace=first, role=Role.OWNER)
    helpers.join(second, owner, Role.LEAD)
    helpers.join(second, ada, Role.OWNER)
    make_user(name="Lea L.", workspace=second, role=Role.LEAD)
    make_user(name="Ari A.", workspace=second, role=Role.AGENT)
    name, switch = next(iter(registry.optional().items()))
    off(name, data, ada)
    paths = [f"/w/{workspace}/features/{name}" for workspace in (first, second)]
    told = [("Olu O.", switch.told, paths[0]), ("Lea L.", switch.told, paths[1])]
    assert sorted(notices()) == sorted(told)
    browser = client_for(build_app(data, generation=StandInGeneration()), owner)
    assert "Ada A. turned off " in browser.get("/notifications").text
    assert f"Ada A. turned off {switch.title} on " in browser.get(paths[0]).text
    switching.switch(name, on=True, config=make_config(data), actor=Actor(ActorKind.USER, ada.id))
    registry.switch_off(())
    assert notices() == []
    assert browser.get(paths[0]).status_code == 302


def test_who_may_not_turn_it_on_asks_the_admins_once(ada: User, data: Path) -> None:
    workspace = make_workspace()
    owner = make_user(name="Olu O.", workspace=workspace, role=Role.OWNER)
    name = next(iter(registry.optional()))
    address = f"/w/{workspace}/{page_of(name, data).path}"
    off(name, data, ada)
    app = build_app(data, generation=StandInGeneration())
    browser = client_for(app, owner)
    for _time in range(2):
        asked = browser.post_form(f"/w/{workspace}/features/{name}/ask", back=address)
        assert asked.location == address
    assert ("Ada A.", ASKED.asked, f"/admin/addons#feature-{name}") in notices()
    assert sum(sentence == ASKED.asked for _who, sentence, _path in notices()) == 1
    page = browser.get(address).text
    assert "The admins were asked" in page
    assert "Ask the admins to turn it on" not in page
    helpers.join(workspace, ada, Role.OWNER)
    assert f'action="/admin/features/{name}"' in client_for(app, ada).get(address).text
    assert browser.post_form("/w/1/features/inbox/ask").status_code == 404


def test_a_form_sent_from_a_tab_left_open_says_that_nothing_was_saved(ada: User, data: Path) -> None:
    workspace = make_workspace()
    owner = make_user(workspace=workspace, role=Role.OWNER)
    off("rules", data, ada)
    browser = client_for(build_app(data, generation=StandInGeneration()), owner)
    answer = browser.post_form(f"/w/{workspace}/settings/rules/new", name="Late")
    assert answer.status_code == 404
    assert "Nothing was saved." in answer.text
    assert "Ada A. turned off Rules and campaigns on " in answer.text


def test_the_server_decides(ada: User, data: Path) -> None:
    workspace = make_workspace()
    helpers.join(workspace, ada, Role.OWNER)
    name = next(iter(registry.optional()))
    address = f"/w/{workspace}/{page_of(name, data).path}"
    registry.switch_off([name])
    browser = client_for(build_app(data, generation=StandInGeneration(), features_off=name), ada)
    page = browser.get(address).text
    assert "LOBBY_FEATURES_OFF" in page
    assert "/admin/features/" not in page


@pytest.mark.parametrize("name", sorted(registry.optional()))
def test_programs_are_told_that_it_is_off(database: db.Database, data: Path, name: str) -> None:
    feature = next(one for one in registry.features() if one.name == name)
    route = next(iter(declare.routes([feature])), None)
    if route is None:
        pytest.skip("it has no routes for programs")
    path = declare.BASE + route.path.replace("{", "").replace("}", "")
    for place in route.places:
        path = path.replace(place, "7")
    assert registry.switched_off() == set()
    registry.switch_off([name])
    browser = helpers.browser(build_app(data, generation=StandInGeneration()))
    answer = browser.open(path, method=route.method)
    assert answer.status_code == 404
    assert answer.json["error"]["code"] == "feature_off"
    assert registry.optional()[name].title in answer.json["error"]["message"]
    assert browser.get(f"{declare.BASE}/nothing").json["error"]["code"] == "not_found"
