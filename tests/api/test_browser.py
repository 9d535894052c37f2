"""The pages of the API in a real browser: a key made, copied and revoked; the description read on a phone."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from playwright.sync_api import expect

from host.api.http.declare import routes as api_routes
from host.core import clock, db
from host.inbox.teams import teams
from host.models.users import Role
from host.users import api_keys, invitations, members
from host.users.api_keys import Scope
from host.users.pages import sudo
from tests import helpers
from tests.accessibility import violations
from tests.api.desks import ApiDesk, Program
from tests.asking import answer
from tests.helpers import LiveServer, do

pytestmark = pytest.mark.browser


@pytest.fixture
def app(desk: ApiDesk) -> Flask:
    return desk.app


@pytest.fixture
def page(chromium: Any, live_server: LiveServer, desk: ApiDesk) -> Iterator[Any]:
    owner = helpers.make_user("owner@example.com", "Ola", workspace=desk.workspace, role=Role.OWNER)
    context = chromium.new_context(base_url=live_server.url(), viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.troubles = []
    page.on("pageerror", lambda error: page.troubles.append(str(error)))
    page.goto("/login")
    page.fill("#email", owner.email)
    page.fill("#password", helpers.PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: "/login" not in url)
    yield page
    assert page.troubles == []
    context.close()


def check(page: Any) -> None:
    """The page is fine for WCAG and does not scroll sideways."""
    assert [(one["id"], one["nodes"][0]["html"]) for one in violations(page)] == []
    wider = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.evaluate(wider) == 0


@pytest.mark.slow
def test_an_owner_makes_a_key_copies_it_and_revokes_it(page: Any, desk: ApiDesk) -> None:
    page.get_by_role("link", name="Settings").first.click()
    page.get_by_role("link", name="Integrations").click()
    page.get_by_role("link", name="API keys").first.click()
    page.get_by_label("Name").fill("Shop window")
    page.get_by_role("radio", name=re.compile("^Everything")).check()
    page.get_by_role("button", name="Create API key").click()
    shown = page.get_by_label("Key", exact=True)
    token = shown.input_value()
    assert re.fullmatch(r"lobby_[\w-]{43}", token)
    assert Program(desk.app, token).call("GET", "/accounts").status_code == 200
    page.get_by_role("button", name="Copy").first.click()
    page.get_by_role("button", name="Copied").wait_for()
    for width in (360, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        check(page)
    page.goto(f"/w/{desk.workspace}/settings/api")
    assert token not in page.content()
    page.get_by_role("row", name="Shop window").get_by_role("button").click()
    answer(page)
    page.get_by_text("The key was revoked.").wait_for()
    assert Program(desk.app, token).call("GET", "/accounts").status_code == 401


def test_a_name_that_is_missing_is_asked_for(page: Any, desk: ApiDesk) -> None:
    page.goto(f"/w/{desk.workspace}/settings/api")
    page.get_by_role("button", name="Create API key").click()
    page.get_by_role("alert").wait_for()
    assert page.get_by_label("Name").get_attribute("aria-invalid") == "true"
    check(page)


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_description_is_readable_everywhere(page: Any, scheme: str) -> None:
    said: list[str] = []
    page.goto("about:blank")  # the inbox, left behind, gets no stream from this server and says so
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    page.emulate_media(color_scheme=scheme)
    page.goto("/api/docs#/Messages/sendMessage")
    page.get_by_text("has its own form of body").wait_for()
    for width in (360, 1440):
        page.set_viewport_size({"width": width, "height": 800})
        check(page)
    assert said == [], "a policy that is violated says so"


@pytest.mark.slow
def test_the_description_tells_of_every_route_and_each_has_an_address(page: Any) -> None:
    page.goto("/api/docs")
    expect(page.locator(".opblock-tag")).to_have_count(len({route.tag for route in api_routes()}))
    shown = set()
    for group in page.locator(".opblock-tag-section").all():
        group.locator(".opblock-tag").click()
        group.locator(".opblock").first.wait_for()
        shown |= {
            (
                one.locator(".opblock-summary-method").inner_text(),
                one.locator("[data-path]").get_attribute("data-path"),
            )
            for one in group.locator(".opblock").all()
        }
        group.locator(".opblock-tag").click()
    assert shown == {(route.method, route.path) for route in api_routes()}
    page.locator("#operations-tag-Messages").click()
    page.get_by_role("button", name="Send a message").click()
    page.get_by_text("has its own form of body").wait_for()
    assert page.url.endswith("#/Messages/sendMessage")
    page.locator("#operations-Messages-sendMessage").get_by_text("Schema", exact=True).first.click()
    page.get_by_role("button", name="One of").first.click()
    page.get_by_role("button", name="SendText").first.wait_for()


@pytest.mark.slow
@pytest.mark.parametrize(("width", "theme"), [(w, t) for w in (1440, 360) for t in ("light", "dark")])
def test_the_address_of_a_code_leads_to_its_entry_and_on_to_an_operation(
    page: Any, theme: str, width: int
) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=theme)
    page.goto("/api/docs#window_closed")
    page.locator("#operations-tag-Messages").wait_for()
    entry = page.locator("#window_closed")
    expect(entry).to_be_in_viewport()
    expect(entry).to_contain_text("409")
    assert page.url.endswith("/api/docs#window_closed")
    look(page, f"api-error-{width}-{theme}")
    entry.get_by_role("link", name="sendMessage", exact=True).click()
    expect(page.locator("#operations-Messages-sendMessage")).to_be_in_viewport()
    page.get_by_role("link", name="Error codes").click()
    expect(page.get_by_role("heading", name="Error codes")).to_be_in_viewport()


@pytest.mark.slow
@pytest.mark.parametrize(("width", "theme"), [(w, t) for w in (1440, 360) for t in ("light", "dark")])
def test_an_operation_is_found_by_its_words_and_tried_with_ones_own_key(
    page: Any, desk: ApiDesk, theme: str, width: int
) -> None:
    jo = helpers.make_user("jo@example.com", "Jo Brandt", workspace=desk.workspace, role=Role.OWNER)
    key = do(api_keys.create, desk.workspace, "Shop", {Scope.READ}, actor=jo.id)
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=theme)
    page.goto("/api/docs")
    page.locator("#operations-tag-Messages").wait_for()
    search = page.get_by_role("searchbox", name="Search operations")
    results = page.locator(".api-index a:visible")
    search.fill("no such thing")
    page.get_by_text("No operation matches.").wait_for()
    assert results.count() == 0
    search.fill("listLabels")
    expect(results).to_have_count(1)
    look(page, f"api-search-{width}-{theme}")
    results.click()
    operation = page.locator("#operations-Labels-listLabels")
    expect(operation).to_be_in_viewport()
    colours = {
        one.evaluate("node => getComputedStyle(node).backgroundColor")
        for one in (
            operation.locator(".opblock-summary-method"),
            page.locator(".api-post").first,
            page.locator(".api-delete").first,
        )
    }
    assert len(colours) == 3

    operation.get_by_role("button", name="Try it out").click()
    operation.get_by_role("button", name="Execute").click()
    answer = operation.locator(".live-responses-table")
    expect(answer).to_contain_text("401")
    page.get_by_label("Your API key").fill("lobby_wrong")
    page.get_by_role("button", name="Use key").click()
    expect(page.locator("[data-whose]")).to_have_text("The API key is invalid.")
    page.get_by_label("Your API key").fill(f" {key} ")
    page.get_by_role("button", name="Use key").click()
    page.get_by_text("Calls use the key “Shop” of").wait_for()
    operation.get_by_role("button", name="Execute").click()
    expect(answer.locator(".response .response-col_status")).to_contain_text("200")
    expect(answer).to_contain_text('"data"')
    look(page, f"api-tried-{width}-{theme}")
    assert "Bearer YOUR_KEY" in page.locator(".curl").inner_text()
    assert key not in page.content(), "an example that is copied or shown holds no key"
    assert not page.evaluate("Object.values({...localStorage, ...sessionStorage}).join()").count(key)


@pytest.mark.slow
@pytest.mark.parametrize(("width", "theme"), [(w, t) for w in (1440, 360) for t in ("light", "dark")])
def test_who_leaves_is_asked_about_and_the_password_is_asked_again(
    page: Any, desk: ApiDesk, theme: str, width: int
) -> None:
    jo = helpers.make_user("jo@example.com", "Jo Brandt", workspace=desk.workspace, role=Role.OWNER)
    gone = helpers.make_user("gone@example.com", "Kim Long", workspace=desk.workspace, role=Role.OWNER)
    for name, who, scopes in (
        ("Nightly export", jo, {Scope.READ}),
        ("Order sync", jo, set(Scope)),
        ("Old wiki", gone, {Scope.READ}),
    ):
        do(api_keys.create, desk.workspace, name, scopes, actor=who.id)
    do(
        invitations.invite,
        desk.workspace,
        email="ivo@example.com",
        role=Role.AGENT,
        actor=jo.id,
    )
    db.write(members.remove, desk.workspace, gone.id)
    page.set_default_timeout(10_000)
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=theme)
    page.goto(f"/w/{desk.workspace}/settings/api")
    assert "Kim Long left the workspace." in page.content()
    look(page, f"keys-{width}-{theme}")
    page.goto(f"/w/{desk.workspace}/settings/people/{jo.id}")
    page.locator("input[name=role][value=agent]").check()
    page.get_by_role("button", name="Save").click()
    page.get_by_role("heading", name="Remove the owner role from Jo Brandt?").wait_for()
    look(page, f"leaving-{width}-{theme}")
    page.get_by_label("Who gets them").select_option(label="Hand over to me")
    with clock.travel(sudo.FRESH * 2):
        page.get_by_role("button", name="Make Agent").click()
        page.get_by_role("heading", name="Confirm your password").wait_for()
        look(page, f"again-{width}-{theme}")
        page.locator("#again").fill("not this one")
        page.keyboard.press("Enter")
        page.get_by_role("alert").wait_for()
        look(page, f"wrong-{width}-{theme}")
        page.locator("#again").fill(helpers.PASSWORD)
        page.get_by_role("button", name="Confirm and continue").click()
        page.get_by_role("heading", name="People", exact=True).wait_for()
    with db.read() as session:
        rows = {row.name: row for row in api_keys.listing(session, desk.workspace)}
    assert {rows[name].holder for name in ("Nightly export", "Order sync")} == {"Ola"}


@pytest.mark.slow
@pytest.mark.parametrize(("width", "theme"), [(w, t) for w in (1440, 360) for t in ("light", "dark")])
def test_the_form_of_a_key_shows_what_belongs_to_a_choice(
    page: Any, desk: ApiDesk, theme: str, width: int
) -> None:
    do(teams.create, desk.workspace, name="Kiln")
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=theme)
    page.goto(f"/w/{desk.workspace}/settings/api")
    look(page, f"key-form-{width}-{theme}")
    page.get_by_label("Name").fill("Order sync")
    export = page.get_by_role("group", name="Export").get_by_role("checkbox")
    expect(export).to_be_hidden()
    page.get_by_role("radio", name="Read only").focus()
    for _step in range(3):
        page.keyboard.press("ArrowDown")
    expect(page.get_by_role("radio", name="Choose scopes")).to_be_checked()
    export.check()
    page.get_by_role("group", name="Messages").get_by_role("checkbox", name="Read").check()
    page.get_by_role("radio", name="Selected accounts").check()
    page.get_by_role("checkbox", name="@sample.pottery").check()
    page.get_by_role("checkbox", name="Kiln").check()
    expect(page.get_by_label("Last day")).to_be_hidden()
    page.get_by_label("Expires").select_option("date")
    page.get_by_label("Last day").fill((clock.now() + timedelta(days=3)).date().isoformat())
    look(page, f"key-form-open-{width}-{theme}")
    page.get_by_role("button", name="Create API key").click()
    page.get_by_label("Key", exact=True).wait_for()
    row = page.locator("tr", has_text="Order sync")
    for text in ("Selected scopes", "Export", "@sample.pottery", "Kiln", "Expires soon"):
        expect(row).to_contain_text(text)
    look(page, f"key-made-{width}-{theme}")


def look(page: Any, name: str) -> None:
    """Check the page, and take its picture where somebody wants to see it."""
    check(page)
    if folder := os.environ.get("PICTURES"):
        page.screenshot(path=f"{folder}/{name}.png", full_page=True)
