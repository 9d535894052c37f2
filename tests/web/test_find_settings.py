"""The search of the settings: what it finds is there, and is what the person may open."""

from __future__ import annotations

from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from flask import Flask

from host.features import registry
from host.models.users import Role
from host.web import navigation
from tests import helpers
from tests.pins.filled import FilledDesk, filled_desk

GROUPS = {"owner": ("_own", "_settings"), "admin": ("_admin",)}


class Names(HTMLParser):
    """The text of each element with an id, and of the label of each field."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.said: dict[str, str] = {}
        self._open: list[tuple[str, str]] = []
        self.feed(page.partition("<main")[2])

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        name = given.get("id") or ""
        if name:
            self.said.setdefault(name, "")
        if tag in {"h2", "h3", "label"}:
            self._open.append((tag, given.get("for") or name))

    def handle_endtag(self, tag: str) -> None:
        if self._open and self._open[-1][0] == tag:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        for _tag, name in self._open:
            self.said[name] = self.said.get(name, "") + data


@pytest.fixture(scope="module")
def filled(migrated_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FilledDesk]:
    with filled_desk(migrated_file, tmp_path_factory.mktemp("filled")) as desk:
        yield desk


def address_of(desk: FilledDesk, endpoint: str) -> str:
    rules = [one for one in desk.app.url_map.iter_rules() if one.endpoint == endpoint]
    rule = next(one for one in rules if "GET" in (one.methods or ()))
    return rule.rule.replace("<int:workspace_id>", str(desk.ids["workspace_id"]))


def test_each_field_that_is_declared_stands_on_its_page(filled: FilledDesk) -> None:
    wrong, number = [], 0
    for who, groups in GROUPS.items():
        for entry in (one for group in groups for one in getattr(navigation, group).values()):
            for find in entry.finds:
                address = address_of(filled, find.endpoint or entry.endpoint)
                names = Names(filled.open(who, address)[0].text)
                number += 1
                if str(find.label) not in names.said.get(find.anchor, ""):
                    wrong.append(f"{address}#{find.anchor}: {find.label}")
    assert wrong == []
    assert number > 30


def test_all_addresses_of_the_list_open(filled: FilledDesk) -> None:
    for who in ("owner", "agent", "admin"):
        listed = filled.open(who, "/settings/find/list")[0]
        assert listed.headers["Cache-Control"] == "private, max-age=300"
        for url in {one["url"].partition("#")[0] for one in listed.json or ()}:
            assert filled.open(who, url)[0].status_code == 200, url


def labels(browser: helpers.Browser) -> set[str]:
    return {one["label"] for one in browser.get("/settings/find/list").json or ()}


def test_people_find_what_they_may_open(desk: Flask) -> None:
    workspace = helpers.make_workspace()
    agent = helpers.client_for(desk, helpers.make_user(workspace=workspace))
    owner = helpers.client_for(desk, helpers.make_user(workspace=workspace, role=Role.OWNER))
    admin = helpers.client_for(desk, helpers.make_user(is_admin=True))
    assert {"Theme", "Canned replies"} <= labels(agent)
    assert not {"Data retention", "Webhooks", "Addons"} & labels(agent)
    assert {"Data retention", "Webhooks"} <= labels(owner)
    assert not {"Addons", "Mail server"} & labels(owner)
    assert {"Addons", "Mail server"} <= labels(admin)
    assert "Data retention" not in labels(admin)
    assert "Event retention" in labels(admin)
    registry.switch_off(["webhooks"])
    try:
        off = helpers.client_for(
            helpers.build_app(Path(desk.extensions["lobby.config"].data)), owner_of(workspace)
        )
        assert "Webhooks" not in labels(off)
    finally:
        registry.switch_off([])


def owner_of(workspace: int) -> helpers.User:
    return helpers.make_user(workspace=workspace, role=Role.OWNER)


@pytest.mark.parametrize(
    ("query", "label", "place"),
    [
        ("opening times", "Working hours", "Workspace › People and hours"),
        ("Öffnungszeiten", "Working hours", "Workspace › People and hours"),
        ("zone general", "Time zone", "Workspace › General"),
        ("DARK MODE", "Theme", "You › Your account"),
        ("tags", "Labels", "Workspace › Labels and attributes"),
    ],
)
def test_a_setting_is_found_by_other_words_without_scripts(
    desk: Flask, query: str, label: str, place: str
) -> None:
    workspace = helpers.make_workspace()
    browser = helpers.client_for(desk, owner_of(workspace))
    page = browser.get("/settings/find", query_string={"q": query}).text
    found = page.partition('class="plain found">')[2].partition("</ul>")[0]
    assert f"<b>{label}</b><span>{place}</span>" in found
    assert found.count("<li>") < 6


def test_the_english_name_is_found_in_german(desk: Flask) -> None:
    workspace = helpers.make_workspace()
    browser = helpers.client_for(desk, owner_of(workspace))
    german = {"Accept-Language": "de"}
    page = browser.get("/settings/find?q=time+zone+general", headers=german).text
    assert "<b>Zeitzone</b><span>Arbeitsbereich › Allgemein</span>" in page


def test_what_is_not_there_is_said(desk: Flask) -> None:
    browser = helpers.client_for(desk, owner_of(helpers.make_workspace()))
    assert "No setting found" in browser.get("/settings/find?q=xyzzy").text.partition("<main")[2]
    assert "No setting found" not in browser.get("/settings/find?q=+").text.partition("<main")[2]


def test_names_that_begin_with_the_query_stand_first(desk: Flask) -> None:
    workspace = helpers.make_workspace()
    browser = helpers.client_for(desk, owner_of(workspace))
    page = browser.get("/settings/find?q=team").text.partition('class="plain found">')[2]
    assert page.partition("<b>")[2].startswith("Teams")


PLACES = {
    "backup": "Data retention",
    "Sicherung": "Data retention",
    "export": "API keys",
    "exportieren": "API keys",
    "delete customer": "Data retention",
    "Kunden löschen": "Data retention",
    "vacation": "Working hours",
    "Urlaub": "Working hours",
    "stop words": "Overview",
    "Stoppwörter": "Overview",
    "WhatsApp": "Channels",
    "QR": "Sign-in and security",
    "signature": "Channels",
    "Signatur": "Channels",
    "price": "Channels",
    "Preise": "Channels",
    # One letter wrong, left out, doubled or swapped, two in a long word.
    "bakcup": "Data retention",
    "exprot": "API keys",
    "exportiren": "API keys",
    "delete custmer": "Data retention",
    "vaccation": "Working hours",
    "Urlbau": "Working hours",
    "Stopwörtre": "Overview",
    "whatsap": "Channels",
    "WahtsApp": "Channels",
    "signatrue": "Channels",
    "sihnatrue": "Channels",
    "pirce": "Channels",
    "Priese": "Channels",
}
"""What people type, and the first setting found."""


@pytest.mark.parametrize("query", PLACES)
def test_what_people_type_leads_to_its_place(desk: Flask, query: str) -> None:
    browser = helpers.client_for(desk, owner_of(helpers.make_workspace()))
    page = browser.get("/settings/find", query_string={"q": query}).text
    assert page.partition('class="plain found">')[2].partition("<b>")[2].partition("</b>")[0] == PLACES[query]


@pytest.mark.parametrize(
    ("query", "label"), [("backup", "Backups"), ("Datensicherng", "Backups"), ("restore", "Backups")]
)
def test_admins_find_where_backups_are_made(desk: Flask, query: str, label: str) -> None:
    admin = helpers.client_for(desk, helpers.make_user(is_admin=True))
    page = admin.get("/settings/find", query_string={"q": query}).text
    assert f"<b>{label}</b>" in page


@pytest.mark.parametrize("query", ["hxxrs", "qrx", "vxcxtxon"])
def test_more_typos_than_a_word_may_have_find_nothing(desk: Flask, query: str) -> None:
    browser = helpers.client_for(desk, owner_of(helpers.make_workspace()))
    page = browser.get("/settings/find", query_string={"q": query}).text
    assert "No setting found" in page.partition("<main")[2]


def test_the_start_of_the_settings_is_the_first_page_one_may_see(desk: Flask) -> None:
    workspace = helpers.make_workspace()
    agent = helpers.client_for(desk, helpers.make_user(workspace=workspace))
    owner = helpers.client_for(desk, owner_of(workspace))
    admin = helpers.client_for(desk, helpers.make_user(is_admin=True))
    for browser in (owner, agent):
        answer = browser.get(f"/w/{workspace}/settings")
        assert browser.get(answer.location).status_code == 200
    assert owner.get(f"/w/{workspace}/settings").location == f"/w/{workspace}/settings/general"
    assert admin.get(f"/w/{workspace}/settings").status_code == 404
    assert admin.get("/admin").location == "/admin/health"
