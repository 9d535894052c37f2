"""Search in a real browser: both widths, both themes, by keyboard, to a message far back and back again."""

from __future__ import annotations

import re
from typing import Any

import pytest
from sqlalchemy.orm import Session

from host.core import db
from host.models.inbox import Contact
from host.search import documents
from host.search.finding import finder
from tests.browser.conftest import look
from tests.inbox import toys
from tests.inbox.browsing import Open, wait
from tests.inbox.desks import Desk
from tests.live.served import until
from tests.search.desk import read_record

pytestmark = pytest.mark.browser


def fill(desk: Desk) -> None:
    names = ["Ana Q.", "Tomas K.", "Lena F.", "Vera N.", "Hal M.", "Priya D."]
    said = [
        "Wonderful. Could you hold the blue one until Monday? The one with the tide glaze, I mean.",
        "Is the tide glaze on the large bowl the same as on the mug from spring?",
        "We would like two of the plates, please, and the invoice to the same address.",
        "My order AB-1234 has not come. Twelve cups, all with tide glaze.",
        "At the workshop I used the tide glaze. When can I collect my cup?",
        "我的订单在哪里？",
    ]
    toys.apply(
        desk.account,
        *(
            toys.received(
                text,
                at=3600 * n,
                contact=f"c{n}",
                contact_name=name,
                contact_username=f"{name[:3].lower()}.sample",
            )
            for n, (name, text) in enumerate(zip(names, said, strict=True))
        ),
        *(toys.received(f"And one more thing, number {n}", at=20_000 + n, contact="c0") for n in range(70)),
    )
    toys.apply(
        desk.account, toys.echoed("The tide glaze is safe for the dishwasher.", at=90_000, contact="c1")
    )
    read_record()


def find(page: Any, desk: Desk, text: str) -> None:
    page.goto(f"/w/{desk.workspace}/search")
    page.get_by_role("searchbox").fill(text)
    page.keyboard.press("Enter")
    page.wait_for_selector(".search-hit, .list-empty")


def test_a_message_far_back_is_found_opened_and_left_again(desk: Desk, open_page: Open) -> None:
    fill(desk)
    page = open_page()
    page.locator("[data-search-field]").fill("tide glaze")
    page.keyboard.press("Enter")
    page.wait_for_selector(".search-hit")
    assert page.locator(".search-hit").count() == 5
    page.locator(".search-hit").last.wait_for()
    page.locator("body").focus()
    page.keyboard.press("j")
    for _ in range(4):
        page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_selector("[data-found]")
    mark = page.locator(".log > :target")
    mark.wait_for()
    assert "hold the blue one" in mark.inner_text()
    assert mark.evaluate(
        "one => { const at = one.getBoundingClientRect(); return at.top >= 0 && at.bottom <= innerHeight; }"
    )
    page.locator("[data-found]").click()
    page.wait_for_selector(".search-hit")
    assert page.get_by_role("searchbox").input_value() == "tide glaze"
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    page.wait_for_selector("[data-inbox]", state="attached")


@pytest.mark.slow
def test_it_looks_well(desk: Desk, open_page: Open) -> None:
    fill(desk)
    page = open_page(reduced_motion="reduce")
    find(page, desk, "tide")
    look(page, "search")
    find(page, desk, "ana from:nobodyofthatname")
    look(page, "search-empty")


def test_a_result_is_shown_beside_and_opened_by_enter(desk: Desk, open_page: Open) -> None:
    fill(desk)
    page = open_page(reduced_motion="reduce")
    find(page, desk, "tide glaze")
    hits = page.locator(".search-hit")
    around = page.locator("[data-around-pane]")
    around.locator(".found >> text=safe for the dishwasher").wait_for()
    assert page.locator(".search-hit[aria-current]").count() == 1
    hits.last.click()
    around.locator(".found >> text=hold the blue one").wait_for()
    marked = page.evaluate("[...CSS.highlights.get('found')].map(one => one.toString())")
    assert marked == ["tide", "glaze"]
    assert "/search?" in page.url
    look(page, "search-beside", phone=False)
    page.keyboard.press("Enter")
    page.wait_for_selector("[data-found]")


def tokens(page: Any) -> list[str]:
    found: list[str] = page.locator(".search-tokens input").evaluate_all("some => some.map(one => one.value)")
    return found


def test_filters_are_tokens_in_the_field(desk: Desk, open_page: Open) -> None:
    fill(desk)
    page = open_page(reduced_motion="reduce")
    page.goto(f"/w/{desk.workspace}/search")
    field = page.get_by_role("searchbox")
    field.press_sequentially('is:open tide from:"Hal M."')
    assert (tokens(page), field.input_value()) == (["is:open"], 'tide from:"Hal M."')
    field.press_sequentially(" glaze labl:x ")
    assert (tokens(page), field.input_value()) == (["is:open", 'from:"Hal M."'], "tide glaze labl:x ")
    assert page.locator("[data-said]").inner_text() == 'Filter from:"Hal M."'
    field.fill("tide glaze")
    # Before what is there, and one that is not finished.
    field.press("Home")
    field.press_sequentially("has:fil")
    assert tokens(page) == ["is:open", 'from:"Hal M."']
    field.press_sequentially("e ")
    assert (tokens(page), field.input_value()) == (["is:open", 'from:"Hal M."', "has:file"], "tide glaze")
    field.press("Backspace")
    field.press_sequentially("is:open ")  # it is there
    assert (tokens(page), field.input_value()) == (["is:open", 'from:"Hal M."'], "tide glaze")
    assert page.locator("[data-said]").inner_text() == "has:file is removed."
    field.press("End")
    field.press("Backspace")
    assert (len(tokens(page)), field.input_value()) == (2, "tide glaz")
    field.press_sequentially("e")
    page.get_by_role("button", name='Remove from:"Hal M."').click()
    assert tokens(page) == ["is:open"]
    field.press_sequentially(" from:hal")
    field.press("Enter")
    page.wait_for_url("**/search?q=is%3Aopen+tide+glaze+from%3Ahal")
    assert (tokens(page), field.input_value()) == (["is:open", "from:hal"], "tide glaze")
    assert page.locator(".search-hit").count() == 1
    for cross in page.locator(".search-token a").all():
        box = cross.bounding_box()
        assert box is not None
        assert min(box["width"], box["height"]) >= 24
    # What was not sent yet goes along.
    field.fill("tide")
    page.get_by_role("link", name="Remove from:hal").click()
    page.wait_for_url("**/search?q=is%3Aopen+tide")
    assert tokens(page) == ["is:open"]
    page.get_by_role("link", name="Customers").click()
    page.wait_for_url("**from**")
    assert tokens(page) == ["is:open", "from:customer"]
    look(page, "search-tokens")


def test_without_scripts_tokens_are_links_and_stay(desk: Desk, open_page: Open) -> None:
    fill(desk)
    page = open_page(java_script_enabled=False)
    page.goto(f"/w/{desk.workspace}/search?q=is:open+from:customer+tide")
    field = page.get_by_role("searchbox")
    assert field.input_value() == "tide"
    field.fill("glaze")
    page.get_by_role("button", name="Search").click()
    assert page.url.endswith("/search?q=is:open+from:customer+glaze")
    page.get_by_role("link", name="Remove is:open").click()
    assert page.url.endswith("/search?q=from:customer+glaze")
    page.wait_for_load_state()
    assert page.locator(".search-hit").count() == 4


def test_the_way_back_leads_to_the_same_result(desk: Desk, open_page: Open) -> None:
    fill(desk)
    page = open_page(reduced_motion="reduce")
    find(page, desk, "tide glaze")
    third = page.locator(".search-hit").nth(2)
    text = third.inner_text()
    third.dblclick()
    page.wait_for_selector("[data-found]")
    page.keyboard.press("Escape")
    focused = page.locator(".search-hit:focus")
    focused.wait_for()
    assert focused.inner_text() == text
    page.keyboard.press("Enter")
    page.wait_for_selector("[data-found]")
    page.go_back()
    focused.wait_for()
    assert focused.inner_text() == text


def test_a_search_that_was_stopped_goes_on_below(
    desk: Desk, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(desk)
    said = [f"{'tide' if number % 2 else 'glaze'} tile" for number in range(700)]
    toys.apply(
        desk.account, *(toys.received(text, at=100_000 + n, contact="c9") for n, text in enumerate(said))
    )
    toys.apply(desk.account, toys.received("tide and glaze", at=200_000, contact="c1"))
    read_record()
    monkeypatch.setattr(finder.find, "__kwdefaults__", {**finder.find.__kwdefaults__, "patience": 0})
    page = open_page(reduced_motion="reduce")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "after=" in request.url else None)
    find(page, desk, "tide glaze")
    page.locator(".search-hit").nth(5).wait_for()
    page.wait_for_selector("[data-more]", state="detached")
    assert page.locator(".search-hit").count() == 6
    assert len(asked) > 2
    first = page.locator(".search-hit").first
    assert "tide and glaze" in first.inner_text()
    assert "after=" not in page.url
    # Nothing at first, and then what is far back.
    find(page, desk, "hold tide")
    page.locator(".search-hit").wait_for()
    assert page.locator(".search-hit").count() == 1


def shown(page: Any) -> list[str]:
    found: list[str] = page.locator(".search-text").all_inner_texts()
    return found


def waits_for_hits(page: Any, number: int) -> None:
    wait(page, f"document.querySelectorAll('.search-hit').length === {number}")


@pytest.mark.slow
def test_results_come_while_one_types(desk: Desk, open_page: Open) -> None:
    fill(desk)
    page = open_page(reduced_motion="reduce")
    page.goto(f"/w/{desk.workspace}/search")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "part=1" in request.url else None)
    field = page.get_by_role("searchbox")
    field.press_sequentially("tid glaze", delay=10)
    waits_for_hits(page, 0)
    wait(page, "location.search === '?q=tid+glaze*'")
    assert len(asked) == 1, "one request for what is typed fast"
    # The caret stays where somebody types, and so does the focus.
    field.press("Home")
    for _ in range(3):
        field.press("ArrowRight")
    field.press_sequentially("e")
    waits_for_hits(page, 5)
    assert field.input_value() == "tide glaze"
    assert field.evaluate("one => [document.activeElement === one, one.selectionStart]") == [True, 4]
    wait(page, "document.querySelector('.search-bar [data-said]').textContent === '5 results'")
    page.locator("[data-around-pane] .found").wait_for()
    # Loaded again, or come back to, the same is found, and the field says what was typed.
    length = page.evaluate("history.length")
    field.fill("tid")
    wait(page, "location.search === '?q=tid*'")
    assert page.evaluate("history.length") == length
    waits_for_hits(page, 5)
    page.reload()
    waits_for_hits(page, 5)
    assert field.input_value() == "tid"
    page.locator(".search-hit").last.focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("[data-found]")
    page.go_back()
    waits_for_hits(page, 5)
    assert field.input_value() == "tid"
    # Enter searches for exactly what was typed.
    field.press("Enter")
    page.wait_for_url("**/search?q=tid")
    waits_for_hits(page, 0)
    page.get_by_role("link", name="Words starting with").wait_for()


@pytest.mark.slow
def test_tokens_and_filters_go_along_while_one_types(desk: Desk, open_page: Open) -> None:
    fill(desk)
    page = open_page(reduced_motion="reduce")
    page.goto(f"/w/{desk.workspace}/search")
    field = page.get_by_role("searchbox")
    field.press_sequentially("glaze from:ha")
    wait(page, "location.search === '?q=glaze'")
    assert page.locator(".search-note-bad").count() == 0, "a filter is not looked for before it is finished"
    field.press_sequentially("l ")
    waits_for_hits(page, 1)
    assert page.locator(".search-save").evaluate("one => new URL(one.href).search") == "?q=from%3Ahal+glaze"
    field.press("Home")
    field.press("Backspace")
    waits_for_hits(page, 5)
    field.press("End")
    field.press_sequentially(" ti")
    wait(page, "location.search === '?q=glaze+ti*'")
    page.get_by_role("link", name="The team").click()
    page.wait_for_url("**/search?q=from:team**")
    waits_for_hits(page, 1)


@pytest.mark.slow
def test_an_older_answer_never_replaces_a_newer_one(desk: Desk, open_page: Open) -> None:
    fill(desk)
    page = open_page(reduced_motion="reduce")
    # As if a request could not be stopped any more.
    page.add_init_script("AbortController.prototype.abort = () => {}")
    page.goto(f"/w/{desk.workspace}/search")
    held: list[Any] = []

    def hold(route: Any) -> None:
        held.append(route)

    page.route(re.compile(r"q=plate"), hold)
    field = page.get_by_role("searchbox")
    field.press_sequentially("plate")
    until(lambda: page.evaluate("1") and held)
    field.fill("invoice kiln")
    waits_for_hits(page, 0)
    wait(page, "location.search === '?q=invoice+kiln*'")
    held[0].continue_()
    page.wait_for_timeout(500)
    assert (shown(page), field.input_value()) == ([], "invoice kiln")
    assert page.url.endswith("?q=invoice+kiln*")
    page.unroute_all()
    field.fill("plate")
    waits_for_hits(page, 1)


@pytest.mark.slow
def test_what_is_still_composed_is_not_searched(desk: Desk, open_page: Open) -> None:
    fill(desk)
    page = open_page(reduced_motion="reduce")
    page.goto(f"/w/{desk.workspace}/search")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "part=1" in request.url else None)
    page.get_by_role("searchbox").focus()
    keyboard = page.context.new_cdp_session(page)
    for text in ("d", "di", "ding"):
        keyboard.send(
            "Input.imeSetComposition", {"text": text, "selectionStart": 0, "selectionEnd": len(text)}
        )
    page.wait_for_timeout(500)
    assert asked == []
    keyboard.send("Input.insertText", {"text": "订单"})
    waits_for_hits(page, 1)
    assert shown(page) == ["我的订单在哪里？"]
    assert page.get_by_role("searchbox").input_value() == "订单"


@pytest.mark.slow
def test_it_looks_well_while_one_types(desk: Desk, open_page: Open) -> None:
    fill(desk)

    def add(session: Session) -> None:
        contact = Contact(workspace_id=desk.workspace, name="Tide Alone", created_at=toys.START)
        session.add(contact)
        session.flush()
        documents.refresh_contacts(session, [contact.id])

    db.write(add)
    page = open_page(reduced_motion="reduce")
    page.goto(f"/w/{desk.workspace}/search")
    page.get_by_role("searchbox").press_sequentially("tid")
    waits_for_hits(page, 5)
    assert page.get_by_text("No conversations").count() == 1
    look(page, "search-typing")
