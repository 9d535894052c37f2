"""The Reports page in a real browser: both themes, both widths, WCAG, without JavaScript."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy.orm import Session

from host.core import clock, db
from host.inbox.labels import labels
from host.inbox.labels.models import LabelTone
from host.models.users import Role
from host.reports import counting, resuming
from host.reports.counting import Key, hour_of
from host.reports.models import AUTOMATION, CAMPAIGN
from tests.browser.conftest import look
from tests.delivery.desk import Desk
from tests.helpers import StandInGeneration, build_app, do, make_user, serving
from tests.reports.test_figures import label_talk, span, store
from tests.web.test_browser import sign_in

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def agent(desk: Desk, data: Path, chromium: Any) -> Iterator[Page]:
    """An agent's page on a desk with a toy channel."""
    app = build_app(data, generation=StandInGeneration(directory=desk.generation.directory))
    make_user("mia@example.com", "Mia", workspace=desk.workspace_id, role=Role.LEAD)
    with serving(app) as server:
        address = server.url()
        context = chromium.new_context(base_url=address, reduced_motion="reduce", locale="en-GB")
        page = context.new_page()
        sign_in(page, "mia@example.com")
        plain = chromium.new_context(
            base_url=address, java_script_enabled=False, storage_state=context.storage_state(), locale="en-GB"
        )
        page.plain = plain
        yield page
        plain.close()
        context.close()


def two_months(desk: Desk) -> None:
    """Write what two busy months leave behind."""
    rng = random.Random(4)
    conversation = desk.customer_wrote()
    now = clock.now()
    spans = []
    mine = {"account_id": desk.account.id, "conversation_id": conversation}
    for _ in range(1500):
        start = now - timedelta(days=rng.random() * 60)
        length = timedelta(seconds=rng.expovariate(1 / 1400))
        until = {"window_until": start + timedelta(hours=24)}
        if rng.random() < 0.01:
            length += timedelta(hours=26)
        kind = rng.choice(["first", "next", "resolve"])
        if kind == "resolve":
            spans.append(span(kind, start, start + length * 20, **mine))
        elif start + length < now:
            spans.append(span(kind, start, start + length, user_id=1, **mine, **until))

    def write(session: Session) -> None:
        sums = counting.new_sums()
        for number in range(24 * 60):
            at = hour_of(now - timedelta(hours=number))
            row = sums[Key(desk.workspace_id, at, desk.account.id, 0)]
            row["received"] += max(0, round(rng.gauss(6 if 8 < at.hour < 20 else 0, 2)))
            row["created"] += rng.randrange(3)
            sums[Key(desk.workspace_id, at, desk.account.id, 1)]["sent"] += row["received"]
            for automatic in (AUTOMATION, CAMPAIGN):
                done = sums[Key(desk.workspace_id, at, desk.account.id, automatic)]
                done["sent"], done["closed"] = rng.randrange(4), rng.randrange(2)
        counting.write_sums(session, sums)

    store(desk.workspace_id, spans)
    db.write(write)
    db.write(resuming.note_period, now - timedelta(days=9), now - timedelta(days=8))


def test_figures_plots_and_what_they_open(desk: Desk, agent: Page) -> None:
    agent.goto(f"/w/{desk.workspace_id}/inbox")
    agent.get_by_role("link", name="Reports").click()
    expect(agent.get_by_text("Charts appear from the second day")).to_be_visible()
    look(agent, "reports-empty")
    two_months(desk)
    agent.reload()
    expect(agent.get_by_role("heading", name="First response").first).to_be_visible()
    look(agent, "reports")
    plot = agent.get_by_role("region", name="When customers write").first
    plot.get_by_text("As a table").focus()
    agent.keyboard.press("Enter")
    expect(plot.get_by_role("cell").first).to_be_visible()
    agent.get_by_role("navigation", name="Group by").get_by_role("link", name="Hour").click()
    expect(agent.get_by_role("heading", name="By hour of the day")).to_be_in_viewport()
    expect(agent.get_by_role("rowheader", name="09:00–10:00").last).to_be_visible()
    agent.get_by_role("navigation", name="Group by").get_by_role("link", name="Person").click()
    look(agent, "reports-table")
    agent.locator("#table").get_by_role("link", name="Mia").click()
    expect(agent.get_by_label("Person").first).to_have_value("1")
    for figure in ("First response", "Windows missed"):
        agent.goto(f"/w/{desk.workspace_id}/reports")
        agent.locator(".kpis").get_by_role("link", name=figure).click()
        expect(agent.get_by_role("heading", level=1)).to_contain_text(figure)
        look(agent, f"reports-{figure.lower().replace(' ', '-')}")
    agent.goto(f"/w/{desk.workspace_id}/reports/first-response")
    sorts = agent.get_by_role("navigation", name="Sort by")
    sorts.get_by_role("link", name="Slowest").click()
    expect(sorts.get_by_role("link", name="Slowest")).to_have_attribute("aria-current", "true")
    expect(agent.get_by_role("link", name="Show more")).to_be_visible()
    look(agent, "reports-slowest")
    agent.goto(f"/w/{desk.workspace_id}/reports/windows-missed")
    leads = agent.get_by_role("row").nth(-1).get_by_role("link").get_attribute("href")
    assert leads == f"/w/{desk.workspace_id}/inbox/1"


def test_labels_are_sorted_by_their_headings(desk: Desk, agent: Page) -> None:
    talks = [desk.customer_wrote(f"c{number}") for number in range(4)]
    waits = {"Complaint": (3, 45), "Wholesale": (2, 31), "Order": (1, 9)}
    now, spans = clock.now(), []
    for name, (talk, minutes) in waits.items():
        tone = LabelTone.RED if name == "Complaint" else LabelTone.BLUE
        label = do(labels.create, desk.workspace_id, name=name, tone=tone)
        label_talk(desk.workspace_id, talks[talk], [label.id])
        for days, factor in ((2, 1), (3, 2), (30, 3 if name == "Order" else 0.5)):
            start = now - timedelta(days=days)
            end = start + timedelta(minutes=minutes * factor)
            of = {"account_id": desk.account.id, "conversation_id": talks[talk], "user_id": 1}
            late = {"target_seconds": 1200, "window_until": start + timedelta(minutes=40)}
            spans += [span("first", start, end, **of, **late), span("next", start, end, **of, **late)]
            spans += [span("resolve", start, start + (end - start) * 9, **of)]
    spans += [span("resolve", now - timedelta(days=1), None, conversation_id=talks[0])]
    store(desk.workspace_id, spans, received=[now - timedelta(days=90)])
    agent.goto(f"/w/{desk.workspace_id}/reports")
    agent.get_by_role("navigation", name="Group by").get_by_role("link", name="Label").click()
    expect(agent.get_by_role("heading", name="By label")).to_be_in_viewport()
    rows, column = agent.locator("#table").get_by_role("rowheader"), agent.locator("th[aria-sort]")
    expect(rows).to_have_text(["Complaint", "Wholesale", "Order", "All, each once"])
    expect(column).to_have_attribute("aria-sort", "descending")
    look(agent, "reports-label")
    agent.get_by_role("columnheader", name="Median first response").get_by_role("link").click()
    expect(column).to_have_attribute("aria-sort", "ascending")
    expect(rows).to_have_text(["Order", "Wholesale", "Complaint", "All, each once"])
    agent.get_by_role("link", name="Show conversations without a label").click()
    expect(agent.get_by_role("heading", level=1)).to_have_text("Conversations: 1")
    agent.go_back()
    agent.locator("#table").get_by_role("link", name="Complaint").click()
    expect(agent.get_by_label("Label").first).to_have_value("1")
    expect(agent.get_by_role("heading", name="First response").first).to_be_visible()
    expect(agent.get_by_role("heading", name="Messages")).to_have_count(0)
    look(agent, "reports-of-label")


def test_what_is_picked_applies_at_once_and_keys_pass_by(desk: Desk, agent: Page) -> None:
    two_months(desk)
    agent.set_viewport_size({"width": 360, "height": 740})
    agent.goto(f"/w/{desk.workspace_id}/reports")
    tile = agent.locator(".kpi").first.bounding_box()
    assert tile
    assert tile["y"] + tile["height"] < 0.75 * 740, "answers stand before filters"
    person = agent.get_by_role("combobox", name="Person")
    agent.locator(".choosing > summary").click()
    look(agent, "reports-filter")
    person.press("ArrowDown")
    expect(person).to_have_value("1")
    assert "agent=" not in agent.url
    person.select_option("")
    agent.locator(".choosing").get_by_text("Person").click()  # a pointer again
    with agent.expect_navigation():
        person.select_option("Mia")
    agent.get_by_role("link", name="Remove: Mia").click()
    expect(agent.get_by_role("link", name="Remove: Mia")).to_have_count(0)


def test_it_works_without_javascript(desk: Desk, agent: Page) -> None:
    two_months(desk)
    page = agent.plain.new_page()
    page.goto(f"/w/{desk.workspace_id}/reports")
    person = page.get_by_role("combobox", name="Person")
    page.locator(".choosing > summary").click()
    person.select_option("Mia")
    page.get_by_role("button", name="Show").click()
    expect(page.locator(".choosing [name=agent]")).to_have_value("1")
    expect(page.get_by_role("heading", name="When customers write")).to_have_count(0)
    page.locator(".choosing > summary").click()
    person.select_option("Everyone")
    page.get_by_role("button", name="Show").click()
    page.get_by_text("As a table").first.click()
    expect(page.get_by_role("region", name="First response").get_by_role("cell").first).to_be_visible()
    with page.expect_download() as file:
        page.get_by_role("link", name="Download as CSV").click()
    assert file.value.suggested_filename.startswith("reports-")
