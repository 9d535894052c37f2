"""The search of the settings in a browser: by hand, by keys, on a phone."""

from __future__ import annotations

from typing import Any

import pytest

from tests.accessibility import violations
from tests.automation import conftest as automation
from tests.automation import test_page_browser
from tests.automation.automated import Automated

base, desk, automated, page = automation.base, automation.desk, automation.automated, test_page_browser.page
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


def start(automated: Automated, page: Any) -> list[str]:
    """Open a page of the settings; return the addresses that are asked for from then on."""
    page.goto(f"/w/{automated.desk.workspace}/settings/labels")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url.partition("/settings/find")[2]))
    return asked


def test_a_field_is_found_by_another_word_and_has_the_caret(automated: Automated, page: Any) -> None:
    asked = start(automated, page)
    page.keyboard.press("Control+Comma")
    page.keyboard.type("clock gener", delay=5)
    found = page.locator("[data-found] a")
    found.first.wait_for()
    assert found.all_inner_texts() == ["Time zone\nWorkspace › General"]
    assert page.locator(".nav-group").first.is_hidden()
    assert asked.count("/list") == 1  # however many keys are pressed
    page.keyboard.press("Enter")
    page.wait_for_url("**/settings/general#timezone")
    page.wait_for_selector("#timezone:focus")


@pytest.mark.parametrize(
    ("typed", "label"),
    [
        ("signatrue", "Channels"),
        ("Urlbau", "Working hours"),
        ("exportiren", "API keys"),
        ("Stopwörtre", "Overview"),
    ],
)
def test_a_typo_is_forgiven_as_without_scripts(
    automated: Automated, page: Any, typed: str, label: str
) -> None:
    start(automated, page)
    page.get_by_role("searchbox", name="Find a setting").fill(typed)
    page.locator("[data-found] a b").first.wait_for()
    assert page.locator("[data-found] a b").first.inner_text() == label


def test_arrows_move_and_escape_brings_the_entries_back(automated: Automated, page: Any) -> None:
    start(automated, page)
    field = page.get_by_role("searchbox", name="Find a setting")
    field.fill("team")
    page.locator("[data-found] a").first.wait_for()
    field.press("ArrowDown")
    assert page.evaluate("document.activeElement.textContent").strip().startswith("Team")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Escape")
    assert field.input_value() == ""
    assert page.locator(".nav-group").first.is_visible()
    field.fill("xyzzy")
    page.get_by_text("No setting found. Try another word.").wait_for()


def test_a_setting_on_the_same_page_is_shown_there(automated: Automated, page: Any) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto(f"/w/{automated.desk.workspace}/settings/general")
    page.keyboard.press("Control+Comma")
    page.keyboard.type("retention")
    page.locator("[data-found] a").first.wait_for()
    assert page.locator(".nav-group").first.is_hidden()  # the results stand in place of the entries
    page.keyboard.press("Enter")
    page.wait_for_url("**/settings/general#kept-title")
    page.locator("[data-side-nav]:not([open])").wait_for(state="attached")
    assert page.locator("#kept-title").is_visible()


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_accessible_at_each_width(automated: Automated, page: Any, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)
    for width in (360, 1440):
        page.set_viewport_size({"width": width, "height": 900})
        start(automated, page)
        page.keyboard.press("Control+Comma")
        page.keyboard.type("time")
        page.locator("[data-found] a").first.wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert violations(page, runOnly=RULES) == []
        page.goto("/settings/find?q=time")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert violations(page, runOnly=RULES) == []


@pytest.mark.slow
def test_the_bar_of_unsaved_changes_covers_nothing(automated: Automated, page: Any) -> None:
    """At the end of the page the bar stands below all fields and buttons, above the tabs of a phone."""
    for width in (360, 1440):
        page.set_viewport_size({"width": width, "height": 640})
        page.goto(f"/w/{automated.desk.workspace}/settings/general")
        page.get_by_label("Name", exact=True).fill("Another name")
        page.locator("[data-savebar]").wait_for()
        page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
        covered = page.evaluate(
            """() => {
              const bar = document.querySelector("[data-savebar]").getBoundingClientRect();
              const over = (box) => box.height && box.bottom > bar.top && box.top < bar.bottom;
              const all = [...document.querySelectorAll("main :is(button, input, select, a, p, h2)")];
              const nav = document.querySelector(".mainnav").getBoundingClientRect();
              return all.filter((one) => !one.closest("[data-savebar]") && over(one.getBoundingClientRect()))
                .map((one) => one.outerHTML).concat(over(nav) ? ["mainnav"] : []);
            }"""
        )
        assert covered == [], width
