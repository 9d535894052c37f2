"""The pages of assistants in a browser: from nothing to suggesting, at every width, light and dark."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from host.assistants import assistants, trials
from host.assistants.knowledge import entries, learning
from host.assistants.models import Mode, TurnOutcome, TurnState
from host.assistants.tools import ToolUse
from host.assistants.trials import AnswerDelivery, Played
from host.assistants.values import Cited
from host.core import clock, db
from host.sdk.channel import Capabilities
from host.sdk.messages import MessageKind
from tests.accessibility import violations
from tests.assistants.test_learning import answered, said
from tests.assistants.test_pages import body, mode, path
from tests.assistants.turns import Turns, assistant, made, model, put
from tests.automation import test_page_browser
from tests.automation.automated import Automated
from tests.automation.test_page_browser import Person
from tests.helpers import do
from tests.inbox import toys

page = test_page_browser.page
PICTURES = os.environ.get("PICTURES")
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
SOURCES = [
    Cited(1, "Shipping to the Nordics", at="2026-11-03T10:00:00+00:00", citations=(22,)),
    Cited(2, "Order", kind="tool", citations=(4, 22)),
]
ANSWER = Played(
    "Yes: four to six days.",
    SOURCES,
    model="local-large",
    tokens_in=1_100,
    cost=4_000,
    took_ms=9,
    calls=[ToolUse("order", {"number": 10482}, "[2] Order (now)\n10482 left us on Monday.", 120)],
    there=AnswerDelivery("@sample.studio", True, True, datetime(2026, 11, 24, 15, 8, tzinfo=UTC)),
)


@pytest.fixture(autouse=True)
def answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the playground answer the same whatever is asked."""
    monkeypatch.setattr(trials, "play", lambda *_given: ANSWER)


HANDBOOK = "# Shipping\n\nTo Norway it takes 4 to 6 days and costs 18 euros, customs included.\n"


def test_from_nothing_to_suggesting_in_at_most_ten_steps(automated: Automated, page: Any) -> None:
    desk = automated
    chosen = model(desk)
    page.goto(desk.desk.path())
    person = Person(page)
    person.click("link", name="Settings", exact=True)
    person.click("link", name="Automation", exact=True)
    person.click("link", name="Assistants", exact=True)
    person.fill("Name", "Shop desk")
    person.click("button", name="Create assistant")
    page.get_by_text("Shop desk was created.").wait_for()
    person.steps += 1
    page.get_by_label("Drop files here, or choose").set_input_files(
        {"name": "handbook.md", "mimeType": "text/markdown", "buffer": HANDBOOK.encode()}
    )
    page.locator("[data-knowledge]").get_by_text("Ready").wait_for()
    person.fill("Ask as a customer would", "Do you ship to Norway?")
    person.click("button", name="Ask", exact=True)
    page.locator(".bubble-bot").wait_for()
    person.click("button", name="Start suggesting")
    page.get_by_text("It suggests answers to your team on @sample.pottery.").wait_for()
    assert person.steps <= 10
    assert mode(desk) == Mode.SUGGEST
    with db.read() as session:
        (shown,) = assistants.listing(session, desk.desk.workspace)
        (known,) = entries.listing(session, desk.desk.workspace, shown.id)
    assert (shown.model_id, known.origin) == (chosen, "handbook.md")


def test_files_are_read_one_by_one_and_the_wrong_one_is_named(automated: Automated, page: Any) -> None:
    id_ = made(automated)
    page.goto(path(automated, id_))
    page.get_by_label("Or a web address").fill("half an addr")
    page.get_by_label("Drop files here, or choose").set_input_files(
        [
            {"name": "a.md", "mimeType": "text/markdown", "buffer": HANDBOOK.encode()},
            {"name": "b.docx", "mimeType": "application/zip", "buffer": b"PK"},
            {"name": "c.txt", "mimeType": "text/plain", "buffer": b"We are closed on Monday."},
        ]
    )
    page.get_by_text("b.docx: Only PDF, Markdown and plain text files are supported.").wait_for()
    assert page.locator("[data-knowledge] .asst-list li").count() == 2
    assert page.get_by_label("Or a web address").input_value() == "half an addr", "what was typed stays"
    assert page.get_by_text("2 entries").is_visible()


def test_the_handoff_is_told_in_the_owners_words(automated: Automated, page: Any) -> None:
    id_ = made(automated)
    page.goto(path(automated, id_))
    field = page.get_by_label("Message to the customer")
    assert field.get_attribute("placeholder") == "A colleague will reply here."
    field.fill("Mia answers you in a moment.")
    page.locator("#handoff").get_by_role("button", name="Save", exact=True).click()
    page.get_by_text("Saved.").wait_for()
    assert body(id_).handoff == "Mia answers you in a moment."
    page.get_by_label("Tell the customer, where it answers automatically").uncheck()
    page.locator("#handoff").get_by_role("button", name="Save", exact=True).click()
    page.get_by_text("Saved.").wait_for()
    assert not body(id_).tells_handoff


def test_it_is_opened_early_by_typing_and_stopped_at_once(automated: Automated, page: Any) -> None:
    id_ = made(automated)
    put(automated, id_)
    page.goto(path(automated, id_))
    assert page.get_by_role("button", name="Answer locked").is_disabled()
    page.get_by_text("Unlock it now by typing the account name").click()
    page.get_by_label("Type @sample.pottery").fill("@sample.pottery")
    page.get_by_role("button", name="Unlock “Answer”").click()
    page.get_by_text("It doesn't answer yet.").wait_for()
    assert mode(automated) == Mode.SUGGEST
    page.locator("#accounts").get_by_role("link", name="Answer", exact=True).click()
    page.get_by_text("it speaks first at the next message that a customer sends there (").wait_for()
    page.get_by_role("button", name="Start answering on @sample.pottery").click()
    page.get_by_text("It answers automatically on @sample.pottery.").wait_for()
    assert mode(automated) == Mode.ANSWER
    page.get_by_role("button", name="Stop now").click()
    page.get_by_text("Shop desk was stopped.").wait_for()
    assert assistant(id_).stopped_at is not None
    page.get_by_role("button", name="Resume").click()
    page.get_by_text("Shop desk was resumed.").wait_for()


def test_what_it_takes_is_chosen_in_a_menu(
    automated: Automated, page: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(toys.Toy, "capabilities", Capabilities(receives=frozenset(MessageKind)))
    id_ = made(automated)
    put(automated, id_)
    page.goto(path(automated, id_))
    page.get_by_label("Message types it answers on @sample.pottery").click()
    page.get_by_label("only a story mention").check()
    page.get_by_label("Accepted suggestions before it can answer").fill("20")
    page.locator("#accounts").get_by_role("button", name="Save", exact=True).click()
    page.get_by_text("0 of 20 accepted unchanged").wait_for()
    page.get_by_text("a message, only a story mention").wait_for()


def test_where_a_page_has_no_room_the_playground_has_its_own(automated: Automated, page: Any) -> None:
    id_ = made(automated)
    page.set_viewport_size({"width": 1000, "height": 900})
    page.goto(path(automated, id_))
    assert not page.get_by_label("Ask as a customer would").is_visible()
    page.get_by_role("link", name="Playground", exact=True).click()
    page.get_by_label("Ask as a customer would").fill("Norway?")
    page.get_by_role("button", name="Ask", exact=True).click()
    assert page.locator(".bubble-bot").inner_text() == "Yes:2 four to six days.12"
    page.get_by_role("link", name="Source 1: Shipping to the Nordics").click()
    page.wait_for_load_state()
    assert page.evaluate("document.querySelector(':target').textContent.includes('Shipping to the Nordics')")
    page.get_by_role("link", name="Start again").click()
    page.get_by_text("The assistant answers from its current knowledge").wait_for()


PLACES = "There are three places in the yard behind the house, next to the tram stop at Mill Street."
VOUCHER = "A voucher is valid for three years and can be had for any sum from twenty euros on, order 10482."


def furnished(desk: Automated) -> int:
    """Add an assistant with accounts, turns of every kind and past answers; return its id."""
    for number in range(3):
        for text, question in ((PLACES, "Is there parking?"), (VOUCHER, "Do you have vouchers?")):
            answered(said(desk.desk.account, question, f"{question[:2]}{number}"), text, desk.desk.mia.id)
    desk.said("ana", "Do you ship to Norway?")
    id_, two, asked = made(desk), made(desk, "A very long name, forty letters of them"), model(desk)
    studio = toys.make_account(desk.desk.workspace, external_id="s", name="Studio", handle="@sample.studio")
    mail = toys.make_account(
        desk.desk.workspace, external_id="m", name="Mail", handle="hello-and-all-the-rest@pottery.example"
    )
    put(desk, id_)
    put(desk, id_, Mode.ANSWER, account_id=studio.id, typed_name="Studio")
    put(desk, two, account_id=mail.id)

    do(assistants.change, desk.desk.workspace, id_, model_id=asked)
    do(learning.dismiss, desk.desk.workspace, id_, PLACES)
    turns, source = Turns(desk, id_), [{"number": 1, "title": "Shipping to the Nordics"}]
    for days in range(30):
        at = clock.now() - timedelta(days=days)
        turns.add(at=at, outcome=TurnOutcome.TAKEN, cost=90_000, sources=source)
        if days % 3 == 0:
            turns.add(TurnState.HANDED_OVER, at=at, reason="no_source", text="", mode=Mode.ANSWER)
        if days % 4 == 0:
            turns.add(TurnState.FAILED, at=at, reason="model_timeout", text="")
            turns.add(at=at, outcome=TurnOutcome.EDITED, right=False, text="word " * 60)
    return id_


def look(desk: Automated, page: Any, widths: tuple[int, ...], schemes: tuple[str, ...]) -> list[str]:
    """Return what is wrong with the pages at these widths."""
    id_ = furnished(desk)
    found = []
    parts = ("prompt", "limits", "said", "past-answers", "playground")
    for rest in ((), (id_,), *((id_, part) for part in parts)):
        for width in widths:
            page.set_viewport_size({"width": width, "height": 900})
            for scheme in schemes:
                page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
                page.goto(path(desk, *rest))
                field = page.get_by_label("Ask as a customer would")
                asks = rest and rest[1:] != ("past-answers",)  # asked there, it leads to the playground
                if asks and field.is_visible():
                    field.fill("Do you ship to Norway?")
                    page.get_by_role("button", name="Ask", exact=True).click()
                    page.get_by_text("Why this answer").wait_for()
                page.evaluate(
                    "for (const one of document.querySelectorAll('.asst-main details')) one.open = true"
                )
                if PICTURES:
                    name = "-".join(map(str, ["assistant", *rest[1:], width, scheme]))
                    page.screenshot(path=str(Path(PICTURES) / f"{name}.png"), full_page=True)
                if page.evaluate("document.documentElement.scrollWidth") > width:
                    found.append(f"{rest} is wider than {width}")
                found += [
                    f"{rest} {width} {scheme}: {one['id']} {node['html'][:200]}"
                    for one in violations(page, runOnly=RULES)
                    for node in one["nodes"]
                ]
    return found


@pytest.mark.slow
def test_the_pages_fit_a_phone_and_can_be_read(automated: Automated, page: Any) -> None:
    assert look(automated, page, (360,), ("light",)) == []


@pytest.mark.slow
def test_the_pages_fit_every_width_light_and_dark(automated: Automated, page: Any) -> None:
    assert look(automated, page, (360, 768, 1100, 1440), ("light", "dark")) == []
