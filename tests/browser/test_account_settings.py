"""What an owner sets for one account, and what of it the provider shows."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import requests
from playwright.sync_api import Page, expect

from tests.browser.conftest import Desk, look
from tests.browser.pottery import Pottery, owner_signs_in, wait

pytestmark = [pytest.mark.browser, pytest.mark.slow]

Arrive = Callable[..., Page]


@pytest.fixture(scope="module")
def pottery(desk: Desk) -> Pottery:
    return Pottery(desk)


@pytest.fixture(scope="module")
def page(pottery: Pottery, person: Arrive) -> Page:
    arrived = person()
    owner_signs_in(arrived)
    return arrived


def open_messages(pottery: Pottery, page: Page) -> None:
    """Go from the account's row to the page about its messages."""
    page.goto(pottery.channels)
    page.get_by_role("article").filter(has_text="@sample.pottery").locator("details.menu summary").click()
    page.get_by_role("link", name=re.compile(r"^Messages\b.*@sample\.pottery")).click()


@pytest.fixture
def messages(pottery: Pottery, page: Page) -> Page:
    """The page about the account's messages, as one comes to it from its row."""
    open_messages(pottery, page)
    expect(page.get_by_role("heading", name="Messages of @sample.pottery")).to_be_visible()
    return page


def profile(pottery: Pottery, name: str) -> Any:
    """Return what the provider itself says it has."""
    page, token = pottery.journey.seed["pages"][0], pottery.journey.seed["tokens"]
    value = next(one["value"] for one in token if one["id"] == "pottery-long")
    answer = requests.get(
        f"{pottery.desk.sandbox.url}/graph.facebook.com/v26.0/{page['id']}/messenger_profile",
        params={"platform": "instagram", "fields": name, "access_token": value},
        timeout=10,
    )
    return answer.json()["data"]


def tab(page: Page, name: str) -> None:
    page.get_by_role("navigation", name=re.compile("Settings of")).get_by_role("link", name=name).click()


def save(page: Page) -> None:
    page.locator("main").get_by_role("button", name="Save", exact=True).click()


def test_what_customers_see_of_the_team(messages: Page) -> None:
    page = messages
    expect(
        page.get_by_role("switch", name="Show customers when we have read their messages")
    ).not_to_be_checked()
    expect(page.get_by_role("switch", name="Show when customers have read our messages")).to_be_checked()
    look(page, "account-messages")
    page.get_by_role("switch", name="Show customers when we have read their messages").check()
    page.get_by_role("switch", name="Show customers when someone is typing").uncheck()
    page.get_by_label(re.compile("^Text longer than")).select_option("truncate")
    save(page)
    expect(page.get_by_text("Saved.")).to_be_visible()
    page.reload()
    expect(page.get_by_role("switch", name="Show customers when we have read their messages")).to_be_checked()
    expect(page.get_by_role("switch", name="Show customers when someone is typing")).not_to_be_checked()
    expect(page.get_by_label(re.compile("^Text longer than"))).to_have_value("truncate")


def test_looking_tells_the_customer_only_where_the_account_is_set_to(
    pottery: Pottery, page: Page, person: Arrive
) -> None:
    for told, words in ((True, "Is the blue mug in stock?"), (False, "And the white one?")):
        open_messages(pottery, page)
        page.get_by_role("switch", name="Show customers when we have read their messages").set_checked(told)
        page.get_by_role("switch", name="Show customers when someone is typing").check()
        save(page)
        expect(page.get_by_text("Saved.")).to_be_visible()
        since = pottery.last()
        pottery.dm(words)
        # Until there is a conversation, the first steps stand in the inbox's place.
        wait(page, lambda: page.goto(pottery.inbox) and page.locator("[data-row]").count(), "the message")
        page.get_by_role("link", name=re.compile("Ana")).first.click()
        expect(page.locator(".log").get_by_text(words)).to_be_visible()
        if told:
            pottery.wait_sent(page, since, "mark_seen")
        # What is told goes out in order: had the look been told, it would stand before this.
        expect(page.locator("[data-row] .unread")).to_have_count(0)
        page.get_by_role("textbox", name=re.compile("^Reply to")).press_sequentially("L")
        pottery.wait_sent(page, since, "typing_on")
        seen = [one for one in pottery.sent(since) if one["what"] == "mark_seen"]
        assert bool(seen) is told
        assert all(one["request"]["recipient"] == seen[0]["request"]["recipient"] for one in seen)
        page.get_by_role("textbox", name=re.compile("^Reply to")).fill("")


def test_ice_breakers_go_to_the_provider_and_come_back(pottery: Pottery, messages: Page) -> None:
    page = messages
    tab(page, "Ice breakers")
    expect(page.get_by_text("Instagram currently shows none.")).to_be_visible()
    page.get_by_label("Question 1").fill("Where are you?")
    page.get_by_text("Value for your systems", exact=True).first.click()
    page.get_by_label("Value for your systems, if not the question").first.fill("PLACE")
    page.get_by_label("Question 2").fill("x" * 81)
    save(page)
    expect(page.get_by_text("81 characters. The limit is 80.")).to_be_visible()
    expect(page.get_by_label("Question 1")).to_have_value("Where are you?")
    look(page, "account-ice-breakers-refused")
    page.get_by_label("Question 2").fill("Do you ship abroad?")
    page.get_by_role("button", name="Add a language").click()
    page.get_by_label("Language and country").fill("de_DE")
    german = page.get_by_role("group", name=re.compile("^Language 1"))
    german.get_by_label("Question 1").fill("Wo seid ihr?")
    page.keyboard.press("Enter")  # saves, though “Remove this language” stands before Save
    expect(page.get_by_text("Saved. Instagram now shows 3.")).to_be_visible()
    look(page, "account-ice-breakers")
    assert profile(pottery, "ice_breakers") == [
        {
            "locale": "default",
            "call_to_actions": [
                {"question": "Where are you?", "payload": "PLACE"},
                {"question": "Do you ship abroad?", "payload": "Do you ship abroad?"},
            ],
        },
        {"locale": "de_DE", "call_to_actions": [{"question": "Wo seid ihr?", "payload": "Wo seid ihr?"}]},
    ]
    page.get_by_role("button", name="Remove language").click()
    save(page)
    expect(page.get_by_text("Saved. Instagram now shows 2.")).to_be_visible()
    assert len(profile(pottery, "ice_breakers")) == 1


def test_the_menu_goes_to_the_provider_and_comes_back(pottery: Pottery, messages: Page) -> None:
    page = messages
    tab(page, "Menu")
    page.get_by_label("Label 1").fill("Talk to us")
    page.get_by_label("Label 2").fill("Our shop")
    page.get_by_label("Action").nth(1).select_option("url")
    save(page)
    expect(page.get_by_text("Enter a web address that starts with https://.")).to_be_visible()
    look(page, "account-menu-refused")
    page.get_by_label("URL, or value for your systems").nth(1).fill("https://pottery.example/")
    save(page)
    expect(page.get_by_text("Saved. Instagram now shows 2.")).to_be_visible()
    look(page, "account-menu")
    (found,) = profile(pottery, "persistent_menu")
    assert [one["type"] for one in found["persistent_menu"][0]["call_to_actions"]] == ["postback", "web_url"]


def test_a_provider_that_refuses_is_quoted(pottery: Pottery, messages: Page) -> None:
    page = messages
    pottery.control("faults", {"call": "messenger_profile", "action": "error", "code": 190, "times": 10})
    tab(page, "Ice breakers")
    expect(page.get_by_text("The current list on Instagram could not be read.")).to_be_visible()
    expect(page.get_by_label("Question 1")).to_have_count(0)
    look(page, "account-ice-breakers-unread")
    requests.delete(f"{pottery.desk.sandbox.url}/control/faults", timeout=10)
    page.get_by_role("link", name="Try again").click()
    expect(page.get_by_label("Question 1")).to_be_visible()
