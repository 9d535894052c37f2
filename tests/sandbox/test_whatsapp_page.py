"""The WhatsApp page: strict policy, live, usable by keyboard, readable in both themes."""

from __future__ import annotations

import re
from typing import Any

import pytest

from sandbox.whatsapp import catalogue, presets
from tests.accessibility import violations
from tests.sandbox.cloud import ANA, Cloud, told, values
from tests.sandbox.helpers import Desk, poll

TAPS = {
    "type": "button",
    "body": {"text": "It is. Shall we keep one?"},
    "action": {"buttons": [{"type": "reply", "reply": {"id": "keep", "title": "Yes, please"}}]},
}


def view(cloud: Cloud, customer: str = ANA) -> Any:
    return cloud.meta.session.get(f"{cloud.meta.url}/whatsapp/view", params={"customer": customer}).json()


def test_the_markup_keeps_the_policy(cloud: Cloud) -> None:
    answer = cloud.meta.session.get(f"{cloud.meta.url}/whatsapp")
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]*src=)", answer.text)
    for name in re.findall(r"/static/[a-z.]+", answer.text):
        assert cloud.meta.session.get(cloud.meta.url + name).status_code == 200


def test_the_view_shows_messages_and_ticks(linked: Cloud) -> None:
    assert view(linked)["customer"]["window"] == "never"
    linked.act("image", text="This one")
    linked.sent()
    shown = view(linked)
    assert [(m["me"], m["text"], m["status"]) for m in shown["messages"]] == [
        (True, "This one", ""),
        (False, "hi", "delivered"),
    ]
    file = linked.meta.session.get(linked.meta.url + shown["messages"][0]["file"]["url"])
    assert file.headers["Content-Type"] == "image/png"
    assert linked.meta.session.get(f"{linked.meta.url}/whatsapp/file/1").status_code == 404
    assert (shown["customer"]["window"], shown["notice"]) == ("open", None)
    linked.meta.control("POST", "clock", {"advance": 90000})
    assert view(linked)["customer"]["window"] == "closed"


def test_the_view_says_why_nothing_arrives(cloud: Cloud) -> None:
    assert "No desk is subscribed" in view(cloud)["notice"]


def test_every_button_of_the_page_works(linked: Cloud) -> None:
    items = linked.meta.session.get(f"{linked.meta.url}/whatsapp/kinds").json()
    assert len(items) == len(catalogue.ITEMS)
    linked.act()
    linked.sent()
    for item in items:
        linked.act(item["kind"], **item["args"])


@pytest.mark.parametrize("name", presets.BY_NAME)
def test_every_switch_turns_on_and_off(cloud: Cloud, name: str) -> None:
    for on in (True, False):
        cloud.meta.control("POST", f"switches/{name}", {"on": on})
        assert {each["name"]: each["on"] for each in view(cloud)["switches"]}[name] is on


@pytest.mark.browser
def test_a_person_writes_taps_and_moves_ticks(chromium: Any, linked: Cloud, desk: Desk) -> None:
    page = chromium.new_page()
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(f"{linked.meta.url}/whatsapp")
    page.get_by_label("Message", exact=True).fill("Is it there?")
    page.keyboard.press("Enter")
    page.locator("#log .me .bubble", has_text="Is it there?").wait_for()
    mid = linked.sent("interactive", TAPS)
    page.locator("#log .them", has_text="✓✓ Delivered").wait_for()
    page.get_by_role("button", name="Yes, please").focus()
    page.keyboard.press("Enter")
    poll(lambda: any("interactive" in each for value in values(desk) for each in value.get("messages", [])))
    page.get_by_role("button", name="Read everything").click()
    page.locator("#log .them", has_text="✓✓ Read").wait_for()
    page.get_by_label("Twice", exact=True).check()
    page.get_by_role("button", name="Failed", exact=True).click()
    page.locator("#log .them", has_text="Failed: Something went wrong").wait_for()
    linked.meta.idle()
    assert told(desk) == [(word, mid) for word in ("sent", "delivered", "read", "failed", "failed")]
    page.get_by_role("switch", name="Too many messages (130429)").check()
    page.locator("#faults-count", has_text="1 on").wait_for()
    assert linked.send().json()["error"]["code"] == 130429
    page.get_by_role("button", name="All off").click()
    page.get_by_role("button", name="+ 25 h").click()
    page.locator("#window", has_text="Templates only").wait_for()
    page.get_by_role("button", name="New number").click()
    page.locator("#log .card", has_text="New number").wait_for()
    assert problems == []


@pytest.mark.browser
@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (360, "dark")])
def test_the_page_fits_and_has_no_accessibility_violation(
    chromium: Any, linked: Cloud, scheme: str, width: int
) -> None:
    for kind in ("text", "image", "voice", "document", "contact"):
        linked.act(kind)
    linked.sent("interactive", TAPS)
    linked.act("reaction")
    page = chromium.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page.goto(f"{linked.meta.url}/whatsapp")
    page.locator("#events .open").first.wait_for()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert [(one["id"], [node["target"] for node in one["nodes"]]) for one in violations(page)] == []
