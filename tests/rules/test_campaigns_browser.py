"""Campaigns in a browser: one set up by hand, and the pages at every width, light and dark."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from host.core import clock, db
from host.media import person_pictures, portraits
from host.media.person_pictures import CachedPicture
from host.models.posts import Post
from host.rules import recent_posts
from host.rules.models import RuleState
from host.sdk import messages as told
from host.sdk.channel import ProviderProblem
from tests.accessibility import violations
from tests.automation import test_page_browser
from tests.automation.test_page_browser import Person
from tests.browser.conftest import screenshot
from tests.inbox import toys
from tests.inbox.desks import Desk
from tests.media import samples
from tests.rules.below import WALL, Below, open_below
from tests.rules.test_campaigns_page import furnished, path
from tests.rules.test_rules_page import bodies
from tests.rules.test_rules_page_browser import RULES

page = test_page_browser.page
pytestmark = pytest.mark.slow
PICTURE = "https://provider.example/mug.jpg"


@pytest.fixture
def automated(database: db.Database, data: Path) -> Below:
    return open_below(data)


@pytest.fixture
def desk(automated: Below) -> Desk:
    return automated.desk


@pytest.mark.parametrize("others", [False, True])
def test_a_campaign_with_a_public_answer_is_live_in_at_most_eight_steps(
    automated: Below, page: Any, others: bool
) -> None:
    desk = automated
    if others:
        desk.rule({"do": "close"}, name="Other", state=RuleState.OFF)
    desk.team(desk.person("Lea K."))
    desk.comments("zoe", "tide")
    desk.run()
    page.goto(path(desk).replace("/rules", "/automation"))
    person = Person(page)
    person.click("link", name="Rules", exact=True)
    if others:
        person.click("link", name="New rule")
    person.click("link", name="Comment word to direct message")
    person.click("checkbox", name="Tide mugs are back")
    person.steps += 1
    page.get_by_role("textbox", name="Words", exact=True).fill("tide, the tide one")
    page.get_by_text("1 of 1 past comments match.").wait_for()  # it follows what is typed
    person.fill("Private reply", 'Here is the link, {{contact.first_name || "hello"}}: pottery.example/tide')
    page.get_by_text("Here is the link, Rosa").wait_for()
    person.click("button", name="Start", exact=True)
    page.get_by_text("Campaign tide was saved.").wait_for()
    assert person.steps == 6 + others, "at most 8 are wanted"
    name, state, _version, body = bodies(desk)[-1]
    assert (name, state) == ("tide", "live")
    assert body is not None
    assert len(body.actions) == 2
    desk.comments("bob", "TIDE")
    desk.run()
    desk.sends()
    desk.run()
    assert [private for _text, private in desk.ours()] == [True, False]
    page.get_by_role("navigation", name="Campaign tide").get_by_role("link", name="People").click()
    page.get_by_role("link", name="Bob Q.").wait_for()


def test_the_pages_are_readable_at_every_width(automated: Below, page: Any, tmp_path: Path) -> None:
    desk = automated
    id_ = furnished(desk)
    body, content_type = portraits.thumbnail(samples.picture("JPEG", size=(300, 240)), "image/jpeg")
    key = (desk.wall.id, PICTURE)
    person_pictures._remember(key, CachedPicture(body, content_type, clock.now() + timedelta(minutes=9)))
    toys.change_row(Post, desk.post(), picture_url=PICTURE)
    pictured = desk.campaign(post={"if": "conversation", "filter": {"post": desk.post()}}, name="Tide mugs")
    found = []
    for rest in (
        "",
        "?show=campaigns",
        "new?from=campaign",
        id_,
        f"{id_}/people",
        pictured,
        f"{pictured}/people",
    ):
        for width in (360, 1440):
            page.set_viewport_size({"width": width, "height": 900})
            for scheme in ("light", "dark"):
                page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
                page.goto(path(desk, rest))
                if rest == pictured:
                    wanted = "all => all.every((one) => one.complete && one.naturalWidth)"
                    assert page.locator(".camp-pic img, .rule-title img").evaluate_all(wanted)
                name = str(rest).translate(str.maketrans("?=/", "---")) or "list"
                screenshot(page, f"campaign-{name}-{width}-{scheme}", full_page=True)
                if page.evaluate("document.documentElement.scrollWidth") > width:
                    found.append(f"{rest} is wider than {width}")
                found += [
                    f"{rest} {width} {scheme}: {one['id']} {one['nodes'][0]['html']}"
                    for one in violations(page, runOnly=RULES)
                ]
    assert found == []


def test_a_post_is_picked_by_its_picture_before_anybody_commented(automated: Below, page: Any) -> None:
    desk = automated
    desk.comments("zoe", "tide")
    WALL.published = [
        told.Post(
            f"1789{number}",
            text=f"Mug {number} of the autumn kiln, glazed by hand" if number % 4 else "",
            picture_url=f"https://provider.example/{number}.jpg",
            published_at=clock.now() - timedelta(days=30 - number),
        )
        for number in range(9, 0, -1)
    ]
    body, content_type = portraits.thumbnail(samples.picture("JPEG", size=(300, 240)), "image/jpeg")
    for number in range(1, 10):
        until = clock.now() + timedelta(minutes=9)
        url = f"https://provider.example/{number}.jpg"
        person_pictures._remember(url, CachedPicture(body, content_type, until))
    page.goto(path(desk, "new?from=campaign"))
    page.get_by_role("textbox", name="Words", exact=True).fill("moss")
    assert WALL.asked == [], "nothing is asked before the list is opened"
    page.get_by_text("Choose from recent posts").click()
    tile = page.get_by_role("button", name="Mug 9 of the autumn kiln")
    tile.wait_for()
    page.get_by_role("button", name="Show older posts").click()
    page.get_by_role("button", name="Mug 7 of the autumn kiln").wait_for()
    tile.click()
    chosen = page.get_by_role("checkbox", name="Mug 9 of the autumn kiln")
    chosen.wait_for()
    assert chosen.is_checked()
    assert tile.get_attribute("aria-pressed") == "true"
    assert page.get_by_role("textbox", name="Words", exact=True).input_value() == "moss"
    page.locator(".camp-pic img").wait_for()  # the preview follows
    tile.click()
    assert not chosen.is_checked()
    assert tile.get_attribute("aria-pressed") == "false"
    tile.click()
    names = page.locator("[data-savebar-names]")
    assert names.inner_text().startswith("Mug 9 of the autumn kiln"), names.inner_text()
    assert names.inner_text().endswith("Words")
    found = []
    for width in (360, 1440):
        page.set_viewport_size({"width": width, "height": 900})
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            page.evaluate("window.scrollTo(0, 0)")  # what the top bar covers is no target
            screenshot(page, f"campaign-picker-{width}-{scheme}", full_page=True)
            if page.evaluate("document.documentElement.scrollWidth") > width:
                found.append(f"wider than {width}")
            found += [f"{one['id']} {one['nodes'][0]['html']}" for one in violations(page, runOnly=RULES)]
    assert found == []
    page.get_by_role("button", name="Save", exact=True).locator("visible=true").last.click()
    page.get_by_text("Campaign moss was saved.").wait_for()
    ((_name, _state, _version, body),) = bodies(desk)
    assert body is not None
    assert body.conditions[0].filter == {"post": desk.post("17899")}
    WALL.problem = ProviderProblem("190", "This account's sign-in has expired.", "Reconnect the account.")
    recent_posts.forget_pages()
    page.get_by_text("Choose from recent posts").click()
    page.get_by_text("This account's sign-in has expired.").wait_for()
    screenshot(page, "campaign-picker-failed", full_page=True)
    WALL.problem = None
    recent_posts.forget_pages()
    page.get_by_role("button", name="Try again").click()
    page.get_by_role("button", name="Mug 9 of the autumn kiln").wait_for()


LATE = """const asks = window.fetch;
window.fetch = (...given) => new Promise((done) => setTimeout(() => done(asks(...given)), 500));
undefined;"""
"""Everything that is fetched comes half a second late."""


def test_saving_waits_for_a_post_that_is_still_looked_up(automated: Below, page: Any) -> None:
    WALL.published = [
        told.Post("17891", text="Mug 1 of the autumn kiln", published_at=clock.now() - timedelta(days=1))
    ]

    page.goto(path(automated, "new?from=campaign"))
    page.get_by_role("textbox", name="Words", exact=True).fill("moss")
    page.get_by_text("Choose from recent posts").click()
    page.get_by_role("button", name="Mug 1 of the autumn kiln").wait_for()
    page.evaluate(LATE)
    page.get_by_role("button", name="Mug 1 of the autumn kiln").click()
    page.get_by_role("button", name="Save", exact=True).locator("visible=true").last.click()
    page.get_by_text("Campaign moss was saved.").wait_for()
    ((_name, _state, _version, body),) = bodies(automated)
    assert body is not None
    assert body.conditions[0].filter == {"post": automated.post("17891")}
