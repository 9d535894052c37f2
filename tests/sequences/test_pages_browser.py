"""The pages of sequences in a browser: a sequence built by hand, at every width, light and dark."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from host.automation.actions import SetAttribute
from host.automation.conditions import AnyOf, FilterCondition, Words, WroteBefore
from host.channels.directory import Directory
from host.models.users import Role
from host.sequences.body import Act, Ask, Branch, Card, Case, End, Hand, Say, Show, Wait
from host.sequences.models import SequenceState
from tests import helpers
from tests.accessibility import violations
from tests.browser.conftest import screenshot
from tests.inbox import toys
from tests.sequences.sequenced import Sequenced
from tests.sequences.test_pages import draft, path

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


@pytest.fixture
def page(sequenced: Sequenced, chromium: Any, base: str) -> Iterator[Any]:
    desk = sequenced.desk
    owner = helpers.make_user(name="Olu O.", workspace=desk.workspace, role=Role.OWNER)
    context = chromium.new_context(base_url=base, viewport={"width": 1440, "height": 900})
    cookie = helpers.client_for(desk.app, owner).get_cookie("lobby")
    assert cookie is not None
    context.add_cookies([{"name": "lobby", "value": cookie.value, "url": base}])
    troubles: list[str] = []
    made = context.new_page()
    made.on("pageerror", lambda error: troubles.append(str(error)))
    yield made
    context.close()
    assert troubles == []


def add(page: Any, kind: str) -> None:
    """Add a step after the last one."""
    page.locator(".seq-end summary").click()
    page.locator(".seq-end").get_by_role("link", name=kind, exact=True).click()


def save(page: Any) -> None:
    page.get_by_role("button", name="Save draft", exact=True).last.click()
    page.get_by_text("The draft was saved.").wait_for()


@pytest.mark.parametrize("width", [360, 1440])
def test_an_order_sequence_is_built_and_published_by_hand(
    sequenced: Sequenced, page: Any, width: int
) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(path(sequenced))
    page.get_by_role("button", name="Empty sequence").click()
    page.get_by_role("link", name="Only a campaign can start it").click()
    page.get_by_label("Name", exact=True).fill("Orders")
    page.get_by_label("Starts when they write").fill("where is my order")
    save(page)
    add(page, "Ask a question")
    page.get_by_label("Text", exact=True).fill("What is your order number?")
    page.get_by_label("The answer is").select_option("number")
    page.get_by_label("Digits").fill("5")
    page.get_by_label("Keep the answer as").fill("order_number")
    assert not page.get_by_label("Choices").is_visible()
    save(page)
    page.get_by_role("link", name="Ask: What is your order number?").click()
    page.get_by_role("button", name="Move up").click()
    page.get_by_role("link", name="Ask: What is your order number?").wait_for()
    page.locator(".seq-open .seq-add summary").click()
    page.locator(".seq-open").get_by_role("link", name="Wait", exact=True).click()
    page.get_by_label("Number", exact=True).fill("2")
    page.get_by_label("Unit").select_option("days")
    save(page)
    page.get_by_role("link", name="Wait 2 days").click()
    page.locator(".seq-open .seq-add summary").click()
    page.locator(".seq-open").get_by_role("link", name="Send a message", exact=True).click()
    page.get_by_label("Text", exact=True).fill('Thanks for {{answer.order_number || "it"}}.')
    save(page)
    page.get_by_role("button", name="Publish").click()
    page.get_by_text("Not published").wait_for()
    page.get_by_role("link", name="Step 3").first.click()
    page.get_by_label("Text", exact=True).wait_for()
    page.get_by_role("link", name="Wait 2 days").click()
    page.get_by_role("button", name="Delete step").click()
    page.get_by_text("The step was deleted.").wait_for()
    page.get_by_role("button", name="Publish").click()
    page.get_by_text("Version 1 is live.").wait_for()
    (one,) = sequenced.sequences()
    assert (one.name, one.state) == ("Orders", SequenceState.LIVE)
    ask, thanks, people = draft(sequenced, one.id).steps
    assert (type(ask), type(thanks), people) == (Ask, Say, Hand(id="people"))
    sequenced.said("ana", "where is my order")
    sequenced.run()
    assert sequenced.last.step == ask.id


@pytest.mark.parametrize(("width", "look"), [(360, "dark"), (1440, "light")])
def test_a_step_that_calls_a_webhook_is_added_and_its_secret_shown(
    sequenced: Sequenced, page: Any, width: int, look: str
) -> None:
    id_ = sequenced.sequence(Hand(id="people"), publish=False)
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=look)
    page.goto(path(sequenced, f"{id_}?add=call"))
    page.get_by_label("URL of your program").fill("http://shop.example/status")
    page.get_by_label("Keep from its answer").fill("order.status")
    page.get_by_role("button", name="Save draft", exact=True).last.click()
    page.get_by_text("Write a field of the answer, =, and the name it is kept as.").last.wait_for()
    page.get_by_label("Keep from its answer").fill("order.status = status")
    page.get_by_role("button", name="Save draft", exact=True).last.click()
    page.get_by_text("Use an https URL on port 443 with a public hostname.").last.wait_for()
    assert page.get_by_label("URL of your program").input_value() == "http://shop.example/status"
    page.get_by_label("URL of your program").fill("https://shop.example/status")
    page.get_by_label("If it fails or a field is missing").select_option("people")
    assert violations(page, runOnly=RULES) == []
    assert not page.evaluate("document.documentElement.scrollWidth > innerWidth")
    save(page)
    page.get_by_text("keeps order.status → status").wait_for()
    (_people, call) = draft(sequenced, id_).steps
    assert (call.url, call.failed) == ("https://shop.example/status", "people")  # type: ignore[union-attr]
    page.get_by_role("button", name="New signing secret").click()
    page.locator("dialog[open]").get_by_role("button", name="New signing secret").click()
    page.get_by_label("Secret", exact=True).wait_for()
    assert page.get_by_label("Secret", exact=True).input_value().startswith("whsec_")
    assert violations(page, runOnly=RULES) == []


def test_a_branch_by_conditions_of_rules_is_built_by_hand(sequenced: Sequenced, page: Any) -> None:
    label = sequenced.label("VIP")
    id_ = sequenced.sequence(Hand(id="people"), End(id="end"), publish=False)
    page.goto(path(sequenced, f"{id_}?add=branch"))
    for number, words in ((1, "the label is VIP"), (2, "any of these words"), (3, "never wrote before")):
        page.get_by_role("combobox", name=f"Row {number}: if").fill(words)
        page.keyboard.press("Enter")
        if number == 2:
            page.get_by_label("Row 2: how it is joined").select_option("or")
            page.get_by_label("Row 2: value").fill("broken, in pieces")
        else:
            page.get_by_label(f"Row {number}: go on with").select_option(index=number)
        if number == 2:
            assert not page.get_by_label("Row 2: go on with").is_visible()
            save(page)
            page.get_by_role("link", name="Branch: 1 case").click()
    save(page)
    branch = draft(sequenced, id_).steps[-1]
    assert isinstance(branch, Branch)
    vip = AnyOf((FilterCondition({"labels": [label]}), Words(("broken", "in pieces"))))
    assert branch.cases == (
        Case(to="people", conditions=(vip,)),
        Case(to=branch.id, conditions=(WroteBefore(False),)),
    )
    assert page.get_by_text("If the label is VIP or the text has broken, in pieces: step 1").is_visible()


@pytest.mark.parametrize("width", [360, 1440])
def test_a_draft_is_tried_without_a_mouse(sequenced: Sequenced, page: Any, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(path(sequenced))
    _main, wrong = furnished(sequenced)
    sent = len(sequenced.automatic())
    page.goto(path(sequenced, wrong))
    page.get_by_role("link", name="Try it").press("Enter")
    log = page.get_by_role("log")
    log.get_by_text("What is your order number?").wait_for()
    field = page.get_by_label("Write as the customer")
    assert field.evaluate("(one) => one === document.activeElement")
    page.keyboard.type("number 12345")
    page.keyboard.press("Enter")
    log.get_by_text("Kept as order_number: 12345").wait_for()
    assert field.evaluate("(one) => one === document.activeElement")
    page.get_by_role("button", name="2 days later").press("Enter")
    log.get_by_text("Not sent: The reply window is closed").wait_for()
    assert log.get_by_text("Hand to people").count() == 1
    page.go_back()
    page.get_by_role("button", name="2 days later").wait_for()
    page.get_by_role("link", name="Start again").press("Enter")
    field.fill("talk to a person")
    page.keyboard.press("Enter")
    log.get_by_text("Asked for a person").wait_for()
    assert len(sequenced.automatic()) == sent
    assert len(sequenced.runs()) == 2


def test_an_attribute_is_set_by_hand(sequenced: Sequenced, page: Any) -> None:
    size = sequenced.attribute("Size")
    id_ = sequenced.sequence(Hand(id="people"), publish=False)
    page.goto(path(sequenced, f"{id_}?add=act"))
    assert not page.get_by_label("Value", exact=True).is_visible()
    page.get_by_role("combobox", name="Action").fill("set size")
    page.keyboard.press("Enter")
    page.get_by_label("Value", exact=True).fill('{{contact.first_name || "XL"}}')
    save(page)
    assert page.get_by_role("link", name="Do: Set Size to").is_visible()
    step = draft(sequenced, id_).steps[-1]
    assert isinstance(step, Act)
    assert step.action == SetAttribute(size, '{{contact.first_name || "XL"}}')


def test_the_bytes_of_a_text_are_counted_while_it_is_typed(sequenced: Sequenced, page: Any) -> None:
    id_ = sequenced.sequence(Say(id="say", text="Hello"), Hand(id="people"), publish=False)
    page.set_viewport_size({"width": 360, "height": 900})
    page.goto(path(sequenced, f"{id_}?step=say"))
    counter = page.locator("[data-bytes-of=f-text]")
    assert counter.text_content().strip() == "5 / 1,000 bytes"
    page.get_by_label("Text", exact=True).fill("é" * 501)
    page.get_by_text("1,002 / 1,000 bytes").wait_for()
    assert "over" in counter.get_attribute("class")
    assert violations(page, runOnly=RULES) == []
    page.get_by_role("button", name="Save draft", exact=True).last.click()
    page.get_by_text("A text has 1002 bytes.").first.wait_for()


CARDS = Show(
    id="cards",
    cards=(
        Card(
            title="Mug",
            text="12 EUR, made by hand",
            picture="https://example.com/mug.jpg",
            button="I want it",
        ),
        Card(title="Bowl", button="Look", url="https://example.com/bowl"),
    ),
)


@pytest.mark.parametrize("width", [360, 1440])
def test_cards_are_made_by_hand_and_tried(sequenced: Sequenced, page: Any, width: int) -> None:
    sequenced.desk.generation.directory = Directory([toys.RICH])
    page.set_viewport_size({"width": width, "height": 900})
    id_ = sequenced.sequence(Say(id="say", text="Look at these"), End(id="end"), publish=False)
    page.goto(path(sequenced, f"{id_}?add=cards&after=say"))
    for number, card in enumerate(CARDS.cards, 1):
        fields = page.get_by_role("group", name=f"Card {number}", exact=True)
        fields.get_by_label("Title").fill(card.title)
        fields.get_by_label("Text", exact=True).fill(card.text)
        fields.get_by_label("Link to a picture").fill(card.picture)
        fields.get_by_label("Button", exact=True).fill("" if number == 2 else card.button)
        fields.get_by_label("Link the button opens").fill(card.url)
        page.get_by_role("button", name="Save draft", exact=True).last.click()
        if number == 1:
            page.get_by_role("link", name="Cards: Mug").click()
    page.get_by_text("Write what the button says.").first.wait_for()
    wrong = page.locator("[aria-invalid]")
    assert wrong.evaluate("one => one.labels[0].textContent") == "Button"
    assert violations(page, runOnly=RULES) == []
    wrong.fill("Look")
    save(page)
    (_say, cards, _end) = draft(sequenced, id_).steps
    assert (cards.cards, cards.closed) == (CARDS.cards, "")  # type: ignore[union-attr]
    page.get_by_role("link", name="Try it").click()
    page.get_by_role("log").get_by_text("12 EUR, made by hand").wait_for()
    page.get_by_role("button", name="I want it").click()
    page.get_by_text("No step takes this message.").wait_for()


def furnished(desk: Sequenced) -> tuple[int, int]:
    """Add a live sequence with people in it, and a draft with a problem; return their ids."""
    ask = Ask(id="number", text="What is your order number?", kind="number", variable="order_number")
    main = desk.sequence(ask, Hand(id="people", text="A colleague answers."))
    for contact in ("ana", "olu"):
        desk.said(contact, "order")
    desk.run()
    with_colour = Ask(id="colour", text="Which colour did you order?")
    desk.publish(main, ask, with_colour, Hand(id="people", text="A colleague answers."))
    late = Say(id="late", text="Did it arrive safely?", quick_replies=("Yes", "No"))
    wrong = desk.sequence(
        ask,
        Wait(id="wait", hours=48),
        late,
        CARDS,
        End(id="end"),
        name="A very long name of forty letters, or so",
        publish=False,
    )
    return main, wrong


def look(desk: Sequenced, page: Any, widths: tuple[int, ...], schemes: tuple[str, ...]) -> list[str]:
    """Return what is wrong with the pages at these widths."""
    found = []
    page.goto(path(desk))
    main, wrong = furnished(desk)
    pages = {
        "list": "",
        "draft": wrong,
        "ask": f"{wrong}?step=number",
        "wrong": f"{wrong}?step=late",
        "cards": f"{wrong}?step=cards",
        "branch": f"{wrong}?add=branch&after=number",
        "try": f"{wrong}?try=1&move=say:hm&move=say:12345&move=later&move=tap:0",
        "action": f"{wrong}?add=act&after=number",
        "starts": f"{main}?part=starts",
        "numbers": f"{main}/numbers",
        "toml": f"{main}/toml",
        "new-toml": "toml",
        "people": f"{main}/people",
        "behind": f"{main}/people?state=all&ended=asked&version=1",
        "versions": f"{main}/versions",
        "moving": f"{main}/versions/1/people",
    }
    for name, rest in pages.items():
        for width in widths:
            page.set_viewport_size({"width": width, "height": 900})
            for scheme in schemes:
                page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
                page.goto(path(desk, rest))
                screenshot(page, f"sequence-{name}-{width}-{scheme}", full_page=True)
                if page.evaluate("document.documentElement.scrollWidth") > width:
                    found.append(f"{name} is wider than {width}")
                found += [
                    f"{name} {width} {scheme}: {one['id']} {one['nodes'][0]['html']}"
                    for one in violations(page, runOnly=RULES)
                ]
    return found


def test_the_pages_fit_a_phone_and_can_be_read(sequenced: Sequenced, page: Any) -> None:
    assert look(sequenced, page, (360,), ("light",)) == []


@pytest.mark.slow
def test_the_pages_fit_every_width_light_and_dark(sequenced: Sequenced, page: Any) -> None:
    assert look(sequenced, page, (360, 768, 1100, 1440), ("light", "dark")) == []
