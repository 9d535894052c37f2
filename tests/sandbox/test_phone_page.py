"""The phone page: strict policy, live, usable by keyboard, readable in both themes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from sandbox import catalogue, play
from tests.accessibility import violations
from tests.sandbox.helpers import ANA, Desk, Meta

STATIC = Path(__file__).parents[2] / "sandbox" / "static"


def test_the_policy_is_strict_and_the_markup_keeps_it(meta: Meta) -> None:
    answer = meta.session.get(f"{meta.url}/")
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    html = answer.text
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]*src=)", html)
    assert not re.search(r'(src|href)="(https?:)?//', html)
    scripts = [*STATIC.glob("*.js")]
    assert scripts
    for file in scripts:
        assert "innerHTML" not in file.read_text()
        assert meta.session.get(f"{meta.url}/static/{file.name}").status_code == 200
    assert meta.session.get(f"{meta.url}/phone").text == html


def test_the_view_shows_thread_window_and_events(connected: Meta) -> None:
    connected.dm("hello")
    connected.send("hi")
    connected.idle()
    view = connected.session.get(f"{connected.url}/phone/view", params={"customer": ANA}).json()
    assert [(m["me"], m["text"]) for m in view["messages"]] == [(True, "hello"), (False, "hi")]
    assert view["customer"]["window"] == "open"
    assert [event["what"] for event in view["events"][:3]] == ["echo of text", "text", "text"]
    connected.control("POST", "clock", {"advance": 2 * 86400})
    view = connected.session.get(f"{connected.url}/phone/view").json()
    assert view["customer"]["window"] == "people"


@pytest.mark.browser
def test_a_person_writes_reads_and_breaks_things_by_keyboard(
    chromium: Any, connected: Meta, desk: Desk
) -> None:
    page = chromium.new_page()
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(connected.url)
    page.get_by_label("Message", exact=True).fill("Is it there?")
    page.keyboard.press("Enter")
    page.locator("#log .me .bubble", has_text="Is it there?").wait_for()
    assert desk.wait(1)[0]["message"]["text"] == "Is it there?"
    options = [{"content_type": "text", "title": "Prices", "payload": "PRICES"}]
    connected.send({"text": "It is.", "quick_replies": options})
    page.locator("#log .them .bubble", has_text="It is.").wait_for()
    page.get_by_role("button", name="Prices").focus()
    page.keyboard.press("Enter")
    tapped = [event["message"].get("quick_reply") for event in desk.wait(3)]
    assert {"payload": "PRICES"} in tapped
    page.get_by_role("switch", name="Too many calls (613)").focus()
    page.keyboard.press("Space")
    page.locator("#faults-count", has_text="1 on").wait_for()
    assert connected.send().status_code == 400
    page.locator("#events .chip-bad", has_text="400, code 613").wait_for()
    page.get_by_role("button", name="All off").click()
    page.locator("#faults-count", has_text="None on").wait_for()
    page.get_by_role("button", name="+ 6 d").click()
    page.locator("#window", has_text="People only").wait_for()
    page.locator("#events .open").first.click()
    page.locator("#body").wait_for()
    page.get_by_role("button", name="Edit").click()
    page.get_by_label("Message", exact=True).fill("Is it still there?")
    page.keyboard.press("Enter")
    page.locator("#log .me .bubble", has_text="Is it still there?").wait_for()
    assert desk.wait(4)[-1]["message_edit"]["text"] == "Is it still there?"
    assert problems == []


def test_the_catalogue_holds_every_kind(meta: Meta) -> None:
    items = meta.session.get(f"{meta.url}/phone/kinds").json()
    assert {item["kind"] for item in items} == set(play.KINDS)
    assert len({item["name"] for item in items}) == len(items)


@pytest.mark.browser
@pytest.mark.slow
def test_one_press_plays_every_kind(chromium: Any, connected: Meta, desk: Desk) -> None:
    page = chromium.new_page()
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(connected.url)
    page.get_by_role("button", name="Play every kind").click()
    page.locator("#playing", has_text=f"All {len(catalogue.ITEMS)} played").wait_for(timeout=180_000)
    assert page.locator("#played li").all_inner_texts() == [item.name for item in catalogue.ITEMS]
    page.get_by_role("button", name="Voice message", exact=True).click()
    page.locator("#log audio").nth(2).wait_for()
    connected.idle()
    played = {entry["what"] for entry in connected.ledger("dm")}
    assert played == set(play.KINDS)
    assert connected.ledger("webhook_skipped") == []
    assert problems == []


@pytest.mark.browser
@pytest.mark.parametrize(
    ("width", "scheme"),
    [
        (1440, "light"),
        (360, "dark"),
        pytest.param(1440, "dark", marks=pytest.mark.slow),
        pytest.param(360, "light", marks=pytest.mark.slow),
    ],
)
def test_the_page_fits_and_has_no_accessibility_violation(
    chromium: Any, connected: Meta, scheme: str, width: int
) -> None:
    connected.control("POST", "switches/twice", {"on": True})
    connected.dm("hello")
    connected.dm(kind="story_mention")
    connected.send("x" * 1001)
    connected.send("hi")
    connected.idle()
    page = chromium.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page.goto(connected.url)
    page.locator("#events .open").first.wait_for()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert [(one["id"], [node["target"] for node in one["nodes"]]) for one in violations(page)] == []
