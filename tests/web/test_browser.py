"""The shell in a real browser: widths, keyboard, themes, no script from a name, WCAG."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from host.core import storage
from host.models.users import Role
from host.users import invitations, setup
from tests.accessibility import violations
from tests.helpers import PASSWORD, LiveServer, do, join, make_user, make_workspace

pytestmark = pytest.mark.browser

CANARY = '"><svg onload=alert(1)> ' + "W" * 60


@pytest.fixture
def page(chromium: Any, live_server: LiveServer) -> Iterator[Any]:
    context = chromium.new_context(base_url=live_server.url(), viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.troubles = []
    page.on("pageerror", lambda error: page.troubles.append(str(error)))
    page.on("dialog", lambda dialog: (page.troubles.append(dialog.message), dialog.dismiss()))
    page.on(
        "console",
        lambda message: page.troubles.append(message.text) if "Content Security" in message.text else None,
    )
    yield page
    context.close()


def sign_in(page: Any, email: str) -> None:
    page.goto("/login")
    page.fill("#email", email)
    page.fill("#password", PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: "/login" not in url)


def make_people() -> tuple[int, str]:
    workspace = make_workspace("Pottery " + "M" * 60)
    owner = make_user("owner@example.com", "Mia", workspace=workspace, role=Role.OWNER, is_admin=True)
    make_user("x@example.com", CANARY, workspace=workspace)
    join(make_workspace("Studio"), owner)
    token = do(
        invitations.invite,
        workspace,
        email="q@example.com",
        role=Role.AGENT,
        actor=owner.id,
    )
    return workspace, token


def pages_of(workspace: int) -> list[str]:
    return [
        "/account",
        f"/w/{workspace}/settings/people",
        f"/w/{workspace}/settings/people/roles",
        f"/w/{workspace}/settings/general",
        f"/w/{workspace}/settings/audit",
        "/admin/people",
        "/admin/workspaces",
        "/admin/audit",
        "/nothing",
    ]


def test_no_page_scrolls_sideways_on_a_phone_nor_runs_a_name(page: Any) -> None:
    workspace, token = make_people()
    page.set_viewport_size({"width": 360, "height": 780})
    page.goto(f"/invite/{token}")
    sign_in(page, "owner@example.com")
    for path in pages_of(workspace):
        page.goto(path)
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= 360, path
        small = page.evaluate(
            """[...document.querySelectorAll('a[href], button, summary, select')]
              .filter(e => e.checkVisibility() && !e.classList.contains('skip'))
              .map(e => [e.getBoundingClientRect(), e.outerHTML.slice(0, 90)])
              .filter(([r]) => r.width < 24 || r.height < 24).map(([r, html]) => html)"""
        )
        assert small == [], path
    assert page.troubles == []


def test_the_main_navigation_is_at_the_bottom_of_a_phone_and_on_top_elsewhere(page: Any) -> None:
    make_people()
    sign_in(page, "owner@example.com")
    for width, at_bottom in ((360, True), (859, True), (860, False), (1440, False)):
        page.set_viewport_size({"width": width, "height": 780})
        page.goto("/account")
        top = page.evaluate("document.querySelector('.mainnav').getBoundingClientRect().top")
        assert (top > 700) is at_bottom, width


def test_a_phone_has_four_places_in_the_bar_and_the_rest_under_more(page: Any) -> None:
    make_people()
    sign_in(page, "owner@example.com")
    page.set_viewport_size({"width": 360, "height": 780})
    bar = page.get_by_role("navigation", name="Main")
    for name, ending in (("Inbox", "/inbox"), ("Search", "/search"), ("Contacts", "/contacts")):
        bar.get_by_role("link", name=name).click()
        page.wait_for_url(f"**{ending}")
        assert bar.locator("[aria-current]:visible").all_text_contents() == [name]
        assert violations(page) == []
    for name, ending in (("Today", "**/today"), ("Reports", "**/reports"), ("Settings", "**/settings/**")):
        assert not bar.get_by_role("link", name=name).is_visible()
        bar.get_by_text("More").click()
        assert violations(page) == []
        box = page.locator(".mainnav .menu-list").bounding_box()
        assert box["y"] + box["height"] < bar.locator("summary").bounding_box()["y"]
        bar.get_by_role("link", name=name).click()
        page.wait_for_url(ending)
        assert bar.locator("summary[aria-current]").text_content() == "More"
    page.set_viewport_size({"width": 1440, "height": 780})
    names = ["Inbox", "Contacts", "Today", "Reports", "Settings"]
    assert bar.locator("li:visible").all_text_contents() == names


def test_what_breaks_wcag_is_found_in_each_document(page: Any) -> None:
    for _ in range(2):
        page.goto("/login")
        assert violations(page) == []
        page.evaluate("document.querySelector('main').append(new Image())")
        assert [one["id"] for one in violations(page)] == ["image-alt"]


def speak(page: Any, language: str) -> None:
    """Have the browser ask for pages in *language*."""
    page.set_extra_http_headers({"Accept-Language": language})


CUT = """() => {
  const wide = document.documentElement.clientWidth;
  const own = (e) => [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
  const quiet = "[translate=no], .visually-hidden, [aria-hidden=true], code, pre, select, textarea, " +
    ".truncate, .stackable thead, .listed thead";
  const scrolls = (e) => { for (let p = e; p; p = p.parentElement)
    if (/auto|scroll/.test(getComputedStyle(p).overflowX)) return true; return false; };
  return [...document.body.querySelectorAll("*")].filter((e) => {
    if (!own(e) || e.closest(quiet) || !e.checkVisibility()) return false;
    const box = e.getBoundingClientRect();
    if (box.width < 2 || scrolls(e)) return false;
    const inside = getComputedStyle(e).display !== "inline";
    return (inside && e.scrollWidth > e.clientWidth + 1) || box.right > wide + 1 || box.left < -1;
  }).map((e) => e.outerHTML.slice(0, 120));
}"""
"""Finds the elements whose words do not fit into them, or into the window.

What ends in three dots on purpose, and the heads of tables that are stacked, are left out.
"""


@pytest.mark.slow
def test_no_german_word_is_cut_off_on_a_phone(page: Any, tmp_path: Path) -> None:
    storage.use(storage.FolderStore(tmp_path / "files"))
    workspace, token = make_people()
    speak(page, "de")
    page.set_viewport_size({"width": 360, "height": 780})
    found: list[str] = []
    page.goto(f"/invite/{token}")
    found += page.evaluate(CUT)
    sign_in(page, "owner@example.com")
    settings = ("channels", "labels", "integrations", "api")
    others = (
        "/notifications",
        "/notifications/settings",
        "/account/security",
        "/admin/desk",
        "/admin/sign-in",
        "/admin/health",
        "/admin/addons",
    )
    more = [*others, f"/w/{workspace}/inbox", *(f"/w/{workspace}/settings/{one}" for one in settings)]
    for path in (*pages_of(workspace), *more):
        assert page.goto(path).status in {200, 404 if path == "/nothing" else 200}, path
        assert page.evaluate("document.documentElement.lang") == "de", path
        found += [f"{path}: {one}" for one in page.evaluate(CUT)]
        width = page.evaluate("document.documentElement.scrollWidth")
        found += [f"{path} scrolls sideways: {width}"] if width > 360 else []
    assert not found, "\n".join(found)
    page.evaluate("""document.querySelector("h1").style.cssText =
        "inline-size: 40px; white-space: nowrap; overflow: hidden" """)
    assert len(page.evaluate(CUT)) == 1


@pytest.mark.slow
def test_every_page_holds_wcag_in_light_and_dark(page: Any) -> None:
    workspace, token = make_people()
    page.emulate_media(reduced_motion="reduce")  # colours in the middle of a transition are nobody's
    rules = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
    found: list[str] = []
    for path in ("/login", f"/invite/{token}"):
        page.goto(path)
        found += [f"{path}: {v['id']} {v['nodes'][0]['html']}" for v in violations(page, runOnly=rules)]
    sign_in(page, "owner@example.com")
    # Each page in both themes and both languages; which two go together changes from page to page.
    for turn, theme in enumerate(("light", "dark")):
        for at, path in enumerate(pages_of(workspace)):
            speak(page, "de" if (turn + at) % 2 else "en")
            page.goto(path)
            page.evaluate(f"document.documentElement.dataset.theme = '{theme}'")
            page.wait_for_function(f"document.documentElement.getAttribute('data-bs-theme') === '{theme}'")
            found += [
                f"{theme} {path}: {v['id']} {v['nodes'][0]['html']}" for v in violations(page, runOnly=rules)
            ]
    assert not found, "\n".join(found)


def test_one_can_sign_in_and_out_by_keyboard_alone(page: Any) -> None:
    make_people()
    page.goto("/account")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.focus("#email")
    page.keyboard.type("owner@example.com")
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/account")
    page.focus("summary[aria-label^='Your account']")
    page.keyboard.press("Enter")
    assert page.is_visible("text=Sign out")
    page.keyboard.press("Escape")
    assert page.evaluate("document.querySelectorAll('details.menu[open]').length") == 0
    assert page.evaluate("document.activeElement.tagName") == "SUMMARY"
    page.keyboard.press("Enter")
    page.locator(".menu-list button").last.focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/login")
    assert page.troubles == []


def test_the_theme_chosen_is_kept_before_and_after_login(page: Any) -> None:
    make_people()
    page.emulate_media(color_scheme="dark")
    page.goto("/login")
    theme = "document.documentElement.getAttribute('data-bs-theme')"
    assert page.evaluate(theme) == "dark"
    page.click("[data-theme-toggle]")
    assert page.evaluate(theme) == "light"
    page.reload()
    assert page.evaluate(theme) == "light"
    sign_in(page, "owner@example.com")
    with page.expect_response("**/account/theme"):
        page.click("[data-theme-toggle]")
    page.context.clear_cookies(name="lobby-theme")
    page.goto("/account")
    assert page.input_value("#theme") == page.evaluate("document.documentElement.dataset.theme")


def test_the_set_up_form_works_in_a_browser(page: Any) -> None:
    token = setup.ensure_setup_token()
    page.goto(f"/setup?token={token}")
    for name, value in {
        "name": "Mia Reuter",
        "email": "mia@example.com",
        "password": PASSWORD,
        "again": PASSWORD,
        "workspace": "Pottery",
    }.items():
        page.fill(f"#{name}", value)
    page.click("button[type=submit] >> text=Set up Lobby")
    page.wait_for_url("**/w/*/**")
    page.goto("/account")
    assert page.is_visible("main >> text=mia@example.com")
    assert page.troubles == []


def test_an_invitation_link_can_be_copied(page: Any) -> None:
    workspace, _ = make_people()
    sign_in(page, "owner@example.com")
    page.goto(f"/w/{workspace}/settings/people")
    page.fill("#email", "new@example.com")
    page.click("text=Create invitation link")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    link = page.input_value("#invite-link")
    page.click("[data-copy]")
    page.wait_for_selector("[data-copy] >> text=Copied")
    assert page.evaluate("navigator.clipboard.readText()") == link
