"""The pages of rules in a browser: a rule set up by hand, at every width, light and dark."""

from __future__ import annotations

from typing import Any

import pytest

from host.rules.models import RuleState
from tests.accessibility import violations
from tests.automation import test_page_browser
from tests.automation.test_page_browser import Person
from tests.browser.conftest import screenshot
from tests.rules.ruled import Ruled
from tests.rules.test_rules import BROKEN, SORRY
from tests.rules.test_rules_page import bodies, path

page = test_page_browser.page
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


def furnished(desk: Ruled) -> tuple[int, int]:
    """Add rules in every state, with runs of all kinds; return the ids of a live and of a broken one."""
    label, team = desk.label("Complaint"), desk.team(desk.person("Lea K."), name="Care")
    has_not = {"if": "conversation", "filter": {"no_labels": [label]}}
    group = {"if": "any", "of": [{"if": "window", "to": "programs"}, {"if": "hours", "open": False}]}
    say = {
        "do": "say",
        "text": 'I am sorry, {{contact.first_name || "there"}}. Could you send one picture of the box?',
    }
    main = desk.rule(
        {"do": "label", "label": label},
        {"do": "giveOut", "team": team},
        say,
        name="Broken on arrival",
        conditions=[
            {"if": "words", "words": ["broken", "cracked", "chipped", "in pieces", "kaputt"]},
            has_not,
            group,
        ],
    )
    desk.rule(
        SORRY, name="Shadow of a very long name, 40 letters", state=RuleState.SHADOW, conditions=[BROKEN]
    )
    desk.rule({"do": "close"}, name="Collaboration offers", state=RuleState.DRAFT)
    desk.rule(
        {"do": "tell", "team": team}, name="Unanswered", when="conversation.unanswered", hours=4, working=True
    )
    gone = desk.rule({"do": "spam"}, name="Story mention thanks", state=RuleState.OFF, conditions=[has_not])
    for contact, text in (
        ("ana", "The lid arrived cracked, what can we do?"),
        ("olu", "Zwei Becher sind kaputt angekommen"),
    ):
        desk.said(contact, text)
    desk.run()
    desk.said("ana", "One saucer chipped, too")
    desk.said("dee", "broken")
    desk.run_after_a_person_answered("dee")
    return main, gone


def find(person: Person, label: str, typed: str, choice: str) -> None:
    """Type into a field and take what comes first: one choice, as an opened and clicked select is one."""
    field = person.page.get_by_role("combobox", name=label, exact=True)
    field.fill(typed)
    assert person.page.locator("[role=option][aria-selected=true]").text_content() == choice
    field.press("Enter")
    person.steps += 1
    assert field.input_value() == choice


def test_a_rule_is_set_up_in_at_most_twelve_steps(automated: Ruled, page: Any) -> None:
    desk = automated
    desk.label("Complaint")
    desk.said("ana", "It came broken")
    page.goto(path(desk).replace("/rules", "/automation"))
    person = Person(page)
    person.click("link", name="Rules", exact=True)
    person.click("link", name="New rule")
    person.fill("Name", "Broken")
    find(person, "Condition 1", "keyword", "the text has any of these words")
    person.fill("Words, pattern or value of condition 1", "broken, in pieces")
    find(person, "Action 1", "complaint", "Add label Complaint")
    person.click("button", name="Action", exact=True)
    find(person, "Action 2", "send a", "Send a message")
    person.fill("Text of action 2", "Sorry!")
    person.click("button", name="Try")
    page.get_by_text("message of the last 7 days would match").wait_for()
    person.steps += 1
    page.get_by_text("Live", exact=True).locator("visible=true").last.click()
    person.click("button", name="Save", exact=True)
    page.get_by_text("Rule Broken was saved.").wait_for()
    assert person.steps <= 12
    ((name, state, _version, _body),) = bodies(desk)
    assert (name, state) == ("Broken", "live")
    desk.said("bob", "in pieces, all of it")
    desk.run()
    assert desk.automatic("bob") == ["Sorry!"]


def test_a_text_is_there_where_the_choice_has_one(automated: Ruled, page: Any) -> None:
    page.goto(path(automated, "new"))
    words, text = (
        page.get_by_label("Words, pattern or value of condition 1"),
        page.get_by_label("Text of action 1"),
    )
    assert not words.is_visible()
    assert not text.is_visible()
    person = Person(page)
    find(person, "Condition 1", "regex", "the text matches a pattern")
    find(person, "Action 1", "internal", "Add a note")
    assert words.is_visible()
    assert text.is_visible()
    assert not page.get_by_label("Time without an answer").is_visible()
    page.get_by_label("Trigger").select_option("conversation.unanswered")
    assert page.get_by_label("Time without an answer").is_visible()
    assert not page.get_by_text("A day counts as").is_visible()
    page.get_by_label("Unit of the time").select_option("days")
    page.get_by_label("count business hours only").check()
    assert page.get_by_text("A day counts as").is_visible()


@pytest.mark.parametrize("others", [False, True])
def test_thirty_minutes_without_an_answer_in_at_most_six_steps(
    automated: Ruled, page: Any, others: bool
) -> None:
    desk = automated
    if others:
        desk.rule({"do": "close"}, name="Other", state=RuleState.OFF)
    desk.team(desk.person("Lea K."), name="Care")
    page.goto(path(desk).replace("/rules", "/automation"))
    person = Person(page)
    person.click("link", name="Rules", exact=True)
    if others:
        person.click("link", name="New rule")
    person.click("link", name="30 minutes unanswered in business hours")
    person.click("button", name="Start", exact=True)
    page.get_by_text("Rule 30 minutes unanswered in business hours was saved.").wait_for()
    assert person.steps == 3 + others, "at most 6 are wanted"
    _name, state, _version, body = bodies(desk)[-1]
    assert body is not None
    assert (state, body.hours, body.minutes) == ("live", 0, 30)


def test_a_condition_is_found_by_keys_alone(automated: Ruled, page: Any) -> None:
    desk = automated
    label = desk.label("Café")
    page.goto(path(desk, "new"))
    field = page.get_by_role("combobox", name="Condition 1", exact=True)
    options = page.locator(".combo").get_by_role("option")
    chosen = "document.querySelector('select[name=if]').value"
    field.focus()
    assert field.get_attribute("aria-expanded") == "false"
    page.keyboard.press("ArrowDown")
    assert field.get_attribute("aria-expanded") == "true"
    assert page.locator(".combo-head").first.text_content() == "Usual"
    page.keyboard.type("cafe tag")
    assert options.all_text_contents() == ["the label is Café", "the label is not Café"]
    page.keyboard.press("ArrowUp")
    assert field.get_attribute("aria-activedescendant") == options.last.get_attribute("id")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    assert page.evaluate(chosen) == f"label:{label}"
    assert page.url.endswith("/new"), "nothing was saved"
    page.keyboard.type("nothing like it")
    assert page.locator(".combo").get_by_text("Nothing found.").is_visible()
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    assert field.input_value() == "the label is Café"
    page.keyboard.type("overdue")
    page.keyboard.press("Tab")
    assert page.evaluate(chosen) == f"label:{label}", "only Enter and a click choose"
    assert field.input_value() == "the label is Café"
    field.click()
    options.filter(has_text="the customer has waited too long").click()
    assert page.evaluate(chosen) == "late:yes"


def test_a_rule_is_made_without_a_script(automated: Ruled, page: Any, base: str) -> None:
    context = page.context.browser.new_context(
        base_url=base, java_script_enabled=False, storage_state=page.context.storage_state()
    )
    plain = context.new_page()
    plain.goto(path(automated, "new"))
    plain.get_by_label("Name", exact=True).fill("Late")
    plain.get_by_label("Condition 1", exact=True).select_option("late:yes")
    plain.get_by_label("Action 1", exact=True).select_option("close")
    plain.get_by_role("button", name="Save", exact=True).first.click()
    plain.get_by_text("Rule Late was saved.").wait_for()
    context.close()


@pytest.mark.slow
def test_an_open_list_can_be_read_and_fits(automated: Ruled, page: Any) -> None:
    furnished(automated)
    for width in (360, 1440):
        page.set_viewport_size({"width": width, "height": 900})
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            page.goto(path(automated, "new"))
            page.get_by_role("combobox", name="Condition 1", exact=True).fill("the")
            box = page.locator(".combo").bounding_box()
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= width
            # The page scrolls to the field, so that its bar may cover part of a link: not of the list.
            found = [node["html"] for one in violations(page, runOnly=RULES) for node in one["nodes"]]
            assert [one for one in found if "combo" in one] == [], (width, scheme)


def test_a_change_is_named_until_it_is_saved(automated: Ruled, page: Any) -> None:
    page.goto(path(automated, "new?from=refund"))
    bar, person = page.locator("[data-savebar]"), Person(page)
    find(person, "Action 1", "internal", "Add a note")
    assert bar.inner_text().startswith("1 unsaved change: Action 1")
    bar.get_by_role("button", name="Discard").click()
    bar.wait_for(state="hidden")
    assert page.get_by_role("combobox", name="Action 1", exact=True).input_value() != "Add a note"
    find(person, "Action 1", "internal", "Add a note")
    page.get_by_label("Text of action 1").fill("Look")
    page.keyboard.press("Control+s")
    page.get_by_text("Rule Refund was saved.").wait_for()
    assert not bar.is_visible()
    person.click("button", name="Start", exact=True)
    person.click("button", name="Turn off", exact=True)
    page.get_by_text("Refund: Off: the rule no longer runs.").wait_for()
    person.click("button", name="Start", exact=True)
    page.get_by_text("Rule Refund was saved.").wait_for()
    page.locator(".seg label", has_text="Off").click()
    assert bar.inner_text().startswith("1 unsaved change: State")
    bar.get_by_role("button", name="Save").click()
    bar.wait_for(state="hidden")
    page.get_by_text("Rule Refund was saved.").wait_for()
    assert bodies(automated)[0][:2] == ("Refund", "off")


def test_a_new_row_has_the_focus(automated: Ruled, page: Any) -> None:
    page.goto(path(automated, "new"))
    page.get_by_role("button", name="Condition", exact=True).focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("#if-1")
    page.wait_for_selector("#if-1:focus")


@pytest.mark.slow
def test_the_list_is_walked_opened_and_ordered_by_keys(automated: Ruled, page: Any) -> None:
    for name in ("One", "Two", "Three"):
        automated.rule({"do": "close"}, name=name)
    page.goto(path(automated))
    focused = "document.activeElement.textContent"
    for key, name in (("j", "One"), ("j", "Two"), ("j", "Three"), ("j", "Three"), ("k", "Two")):
        page.keyboard.press(key)
        assert page.evaluate(focused) == name
    with page.expect_navigation():
        page.keyboard.press("Alt+ArrowUp")
    assert page.locator(".rule-top a").all_text_contents() == ["Two", "One", "Three"]
    page.wait_for_function(f"{focused} === 'Two'")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    assert page.locator("h1").text_content() == "Two"
    page.keyboard.press("j")
    assert page.evaluate(focused) == "One"


def look(desk: Ruled, page: Any, widths: tuple[int, ...], schemes: tuple[str, ...]) -> list[str]:
    """Return what is wrong with the pages at these widths."""
    main, gone = furnished(desk)
    found = []
    for rest in ("", "new", main, gone):
        for width in widths:
            page.set_viewport_size({"width": width, "height": 900})
            for scheme in schemes:
                page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
                page.goto(path(desk, rest))
                screenshot(page, f"rule-{rest or 'list'}-{width}-{scheme}", full_page=True)
                if page.evaluate("document.documentElement.scrollWidth") > width:
                    found.append(f"{rest} is wider than {width}")
                found += [
                    f"{rest} {width} {scheme}: {one['id']} {one['nodes'][0]['html']}"
                    for one in violations(page, runOnly=RULES)
                ]
    return found


def test_the_pages_fit_a_phone_and_can_be_read(automated: Ruled, page: Any) -> None:
    assert look(automated, page, (360,), ("light",)) == []


@pytest.mark.slow
def test_the_pages_fit_every_width_light_and_dark(automated: Ruled, page: Any) -> None:
    assert look(automated, page, (360, 768, 1100, 1440), ("light", "dark")) == []


@pytest.mark.slow
def test_a_refusal_can_be_read(automated: Ruled, page: Any) -> None:
    page.goto(path(automated, "new"))
    page.get_by_label("Name").fill("Broken")
    find(Person(page), "Condition 1", "keyword", "the text has any of these words")
    page.get_by_role("button", name="Save", exact=True).first.click()
    page.get_by_text("Enter the words to look for.").wait_for()
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        found = [node["html"] for one in violations(page, runOnly=RULES) for node in one["nodes"]]
        assert found == [], scheme
