"""The frame around every page: navigation, switcher, theme, language, static files, addons."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from flask import Blueprint, Flask

from host.core import db
from host.models.users import Role, User
from host.web.request_helpers import safe_next
from tests.helpers import (
    StandInGeneration,
    browser,
    build_app,
    client_for,
    join,
    make_user,
    make_workspace,
)


def test_a_second_generation_does_not_compile_the_templates_again(
    database: db.Database, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from jinja2 import Environment

    browser(build_app(data)).get("/login")
    compiled: list[object] = []
    original = Environment.compile

    def compile_and_note(self: Environment, *args: object, **kwargs: object) -> object:
        compiled.append(kwargs.get("name") or args)
        return original(self, *args, **kwargs)  # type: ignore[call-overload]

    monkeypatch.setattr(Environment, "compile", compile_and_note)
    assert browser(build_app(data)).get("/login").status_code == 200
    assert compiled == []


def nav_of(page: str) -> str:
    return page.partition('class="mainnav"')[2].partition("</ul>")[0]


def test_members_see_inbox_and_settings_an_admin_settings_alone(desk: Flask) -> None:
    workspace = make_workspace()
    agent = nav_of(client_for(desk, make_user(workspace=workspace)).get("/account").text)
    owner = nav_of(client_for(desk, make_user(workspace=workspace, role=Role.OWNER)).get("/account").text)
    admin = nav_of(client_for(desk, make_user(is_admin=True)).get("/account").text)
    assert ("Inbox" in agent, "Settings" in agent) == (True, True)  # replies and macros of their own
    assert ("Inbox" in owner, "Settings" in owner) == (True, True)
    assert ("Inbox" in admin, "Settings" in admin) == (False, True)
    assert ("Reports" in agent, "Reports" in owner, "Reports" in admin) == (False, True, False)
    assert ("Contacts" in agent, "Contacts" in owner, "Contacts" in admin) == (True, True, False)
    assert owner.index("Contacts") < owner.index("Reports")


def test_strangers_see_no_navigation(desk: Flask) -> None:
    assert nav_of(browser(desk).get("/login").text) == ""


def test_the_page_one_is_on_is_marked(desk: Flask) -> None:
    workspace = make_workspace()
    page = client_for(desk, make_user(workspace=workspace, role=Role.OWNER)).get(
        f"/w/{workspace}/settings/people"
    )
    marked = [part.split("</a>")[0] for part in page.text.split('aria-current="page">')[1:]]
    assert [text.rsplit(">", 1)[-1] for text in marked] == ["Settings", "People and hours", "People"]


def test_somebody_in_several_workspaces_can_switch(desk: Flask) -> None:
    first, second = make_workspace("Pottery"), make_workspace("Studio")
    person = make_user(workspace=first)
    assert "Studio" not in client_for(desk, person).get("/account").text
    join(second, person)
    page = client_for(desk, person).get("/account").text
    assert f'href="/w/{first}/' in page
    assert f'href="/w/{second}/' in page


def test_the_start_page_leads_where_the_work_is(desk: Flask) -> None:
    workspace = make_workspace()
    assert browser(desk).get("/").location == "/login?next=/"
    inbox = client_for(desk, make_user(workspace=workspace)).get("/").location
    assert inbox.startswith(f"/w/{workspace}/")
    admin = client_for(desk, make_user(is_admin=True)).get("/").location
    assert admin == "/admin/addons"
    lost = client_for(desk, make_user()).get("/")
    assert "You're not in a workspace" in lost.text


def test_the_start_page_goes_back_to_the_workspace_visited_last(desk: Flask) -> None:
    first, second = make_workspace("A"), make_workspace("B")
    person = make_user(workspace=first, role=Role.OWNER)
    join(second, person, Role.OWNER)
    client = client_for(desk, person)
    client.get(f"/w/{second}/settings/general")
    assert client.get("/").location.startswith(f"/w/{second}/")


def test_addons_that_failed_are_announced_to_admins_only(database: db.Database, data: Path) -> None:
    app = build_app(data, generation=StandInGeneration(failures={"toy": "It broke."}))
    workspace = make_workspace()
    assert "1 addon needs attention" in client_for(app, make_user(is_admin=True)).get("/account").text
    assert "needs attention" not in client_for(app, make_user(workspace=workspace)).get("/account").text


def test_the_theme_follows_the_person_and_before_login_the_cookie(desk: Flask) -> None:
    stranger = browser(desk)
    assert 'data-theme="auto"' in stranger.get("/login").text
    stranger.set_cookie("lobby-theme", "dark", domain="localhost")
    assert 'data-bs-theme="dark" data-theme="dark"' in stranger.get("/login").text
    stranger.set_cookie("lobby-theme", "<script>", domain="localhost")
    assert 'data-theme="auto"' in stranger.get("/login").text
    client = client_for(desk, make_user())
    assert client.post_form("/account/theme", theme="light").status_code == 302
    client.set_cookie("lobby-theme", "dark", domain="localhost")
    assert 'data-theme="light"' in client.get("/account").text
    assert client.post_form("/account/theme", theme="pink").status_code == 400


def test_times_are_shown_in_the_zone_the_browser_tells(desk: Flask) -> None:
    from datetime import UTC, datetime

    from host.web.languages import moment

    at = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
    for zone, text in (("Asia/Tokyo", "21:00"), ("", "12:00"), ("Nowhere/../etc", "12:00"), ("é", "12:00")):
        with desk.test_request_context("/", headers={"Cookie": f"lobby-zone={zone}"}):
            assert text in moment(at)


def test_the_language_is_the_persons_then_the_browsers_then_the_desks(
    database: db.Database, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("host.web.languages.available", lambda: ("en", "de", "fr"))
    app = build_app(data, language="fr")
    person = make_user()
    client = client_for(app, person)
    assert '<html lang="fr"' in browser(app).get("/login").text
    german = {"Accept-Language": "de-CH, de;q=0.9"}
    assert '<html lang="de"' in client.get("/account", headers=german).text

    def choose(session: object) -> None:
        session.get(User, person.id).locale = "en"  # type: ignore[attr-defined]

    db.write(choose)
    assert '<html lang="en"' in client.get("/account", headers=german).text


def test_the_language_of_the_workspace_counts_for_who_chose_none(database: db.Database, data: Path) -> None:
    workspace = make_workspace()
    client = client_for(build_app(data), make_user(workspace=workspace, role=Role.OWNER))
    page = f"/w/{workspace}/settings/general"
    english = {"Accept-Language": "en"}
    assert '<html lang="en"' in client.get(page, headers=english).text
    client.post_form(page, name="Pottery", language="de")
    assert '<html lang="de"' in client.get(page, headers=english).text
    assert "Arbeitsbereich" in client.get(page, headers=english).text


def test_static_files_are_kept_for_a_year_under_their_hash(desk: Flask) -> None:
    client = browser(desk)
    page = client.get("/login").text
    links = [part.split('"')[0] for part in page.split('href="')[1:] if "lobby.css" in part.split('"')[0]]
    answer = client.get(links[0].replace("&amp;", "&"))
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert client.get("/static/lobby.css").headers["Cache-Control"] == "public, no-cache"
    assert client.get("/static/lobby.css?v=0123").headers["Cache-Control"] == "public, no-cache"
    assert "Set-Cookie" not in answer.headers


def test_every_asset_comes_from_the_desk_itself(desk: Flask) -> None:
    client = client_for(desk, make_user())
    page = client.get("/account").text
    for part in page.split("<link ")[1:] + page.split("<script ")[1:]:
        address = part.split('href="' if 'href="' in part.split(">")[0] else 'src="')[1].split('"')[0]
        assert address.startswith("/"), address
        assert client.get(address.replace("&amp;", "&")).status_code == 200


def addon_generation(folder: Path) -> StandInGeneration:
    templates = folder / "templates"
    (templates / "toy").mkdir(parents=True)
    (templates / "toy" / "page.html").write_text(
        '{% extends "base.html" %}{% block main %}a toy{% endblock %}'
    )
    (templates / "base.html").write_text("stolen")
    static = folder / "static"
    static.mkdir()
    (static / "toy.js").write_text("1")
    (folder / "secret.txt").write_text("secret")
    blueprint = Blueprint("toy", "toy")

    def page() -> str:
        from flask import render_template

        return render_template("toy/page.html")

    blueprint.add_url_rule("/page", "page", page)
    blueprint.add_url_rule("/callback", "callback", lambda: "public")
    return StandInGeneration(
        blueprints=(("toy", blueprint),),
        template_folders={"toy": templates},
        static_folders={"toy": static},
        public_paths=frozenset({"/addons/toy/callback"}),
    )


def test_pages_of_an_addon_need_a_login_unless_declared_public(
    database: db.Database, data: Path, tmp_path: Path
) -> None:
    app = build_app(data, generation=addon_generation(tmp_path / "toy"))
    assert browser(app).get("/addons/toy/page").location == "/login?next=/addons/toy/page"
    assert browser(app).get("/addons/toy/callback").text == "public"
    page = client_for(app, make_user()).get("/addons/toy/page").text
    assert "a toy" in page
    assert 'class="topbar"' in page


def test_an_addon_cannot_replace_the_desks_templates(
    database: db.Database, data: Path, tmp_path: Path
) -> None:
    app = build_app(data, generation=addon_generation(tmp_path / "toy"))
    assert "stolen" not in browser(app).get("/login").text


def test_modules_are_kept_for_a_year_under_the_hash_of_all_of_them(desk: Flask) -> None:
    client = browser(desk)
    address = re.search(r'src="(/modules/[0-9a-f]+/base.js)"', client.get("/login").text)
    assert address is not None
    answer = client.get(address.group(1))
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert "javascript" in answer.headers["Content-Type"]
    assert client.get("/modules/0123/base.js").headers["Cache-Control"] == "public, no-cache"
    for path in (
        "/modules/base.js",
        "/modules/0123/",
        "/modules/0123/../lobby.css",
        "/modules/0123/%2e%2e/lobby.css",
    ):
        assert client.get(path).status_code == 404


def test_static_files_of_an_addon_are_served_and_nothing_beside_them(
    database: db.Database, data: Path, tmp_path: Path
) -> None:
    app = build_app(data, generation=addon_generation(tmp_path / "toy"))
    client = browser(app)
    with app.test_request_context():
        address = app.url_for("addon_static", slug="toy", filename="toy.js")
    assert "immutable" in client.get(address).headers["Cache-Control"]
    assert client.get("/addons/toy/static/../secret.txt").status_code == 404
    assert client.get("/addons/toy/static/%2e%2e/secret.txt").status_code == 404
    assert client.get("/addons/other/static/toy.js").status_code == 404


@pytest.mark.parametrize(
    "target",
    [
        "//evil.com",
        "/\\evil.com",
        "\\\\evil.com",
        "/\t/evil.com",
        "/%09/evil.com",
        "/%5cevil.com",
        "/%2f/evil.com",
        "/%2fevil.com",
        "/%252fevil.com",
        "https://evil.com",
        "https:evil.com",
        "javascript:alert(1)",
        "data:text/html,x",
        " /ok",
        "/ ok",
        "/\r\nSet-Cookie: a=b",
        "/%0d%0aSet-Cookie:a=b",
        "evil.com",
        "@evil.com",
        "///evil.com",
        "/\x00",
        "",
    ],
)
def test_after_login_nobody_is_sent_to_another_site(target: str) -> None:
    assert safe_next(target) == "/"


@pytest.mark.parametrize(
    "target", ["/", "/w/1/inbox", "/w/1/inbox?status=open&q=a%20b"[:26], "/account#top", "/ä"]
)
def test_after_login_people_go_where_they_wanted(target: str) -> None:
    assert safe_next(target) == target


def settings_nav_of(page: str) -> str:
    return page.partition("data-side-nav")[2].partition("</details>")[0]


def test_one_navigation_of_settings_holds_what_the_person_may_open(desk: Flask) -> None:
    workspace = make_workspace()
    agent = settings_nav_of(client_for(desk, make_user(workspace=workspace)).get("/account").text)
    owner = settings_nav_of(
        client_for(desk, make_user(workspace=workspace, role=Role.OWNER)).get("/account").text
    )
    admin = settings_nav_of(client_for(desk, make_user(is_admin=True)).get("/admin/workspaces").text)
    assert ("Your account" in agent, "General" in agent, "admins only" in agent) == (True, False, False)
    assert ("Your account" in owner, "General" in owner, "admins only" in owner) == (True, True, False)
    assert ("Your account" in admin, "General" in admin, "admins only" in admin) == (True, False, True)
    assert ("Automation" in agent, "Automation" in owner, "Automation" in admin) == (False, True, False)


def test_the_settings_are_at_most_fifteen_links_in_three_groups(desk: Flask) -> None:
    workspace = make_workspace("Pottery")
    page = (
        client_for(desk, make_user(workspace=workspace, role=Role.OWNER, is_admin=True)).get("/account").text
    )
    nav = settings_nav_of(page)
    heads = [
        " ".join(re.sub(r"<[^>]*>", " ", one).split())
        for one in re.findall(r"<h2>(.*?)</h2>", nav, re.DOTALL)
    ]
    assert [one.partition(" ")[0] for one in heads] == ["You", "Workspace", "Admin"]
    assert nav.count("nav-link") <= 15


def test_a_section_shows_its_tabs_on_its_pages_and_not_below_them(desk: Flask) -> None:
    workspace = make_workspace()
    owner = client_for(desk, make_user(workspace=workspace, role=Role.OWNER))

    def tabs(path: str) -> list[str]:
        shown = owner.get(f"/w/{workspace}{path}").text.partition("section-tabs")[2].partition("</nav>")[0]
        return re.findall(r">([^<>]+)</a>", shown)

    assert tabs("/settings/teams") == ["People", "Teams", "Working hours"]
    assert tabs("/settings/rules")[-2:] == ["Assistants", "Language models"]
    assert tabs("/settings/general") == tabs("/settings/rules/new") == []
