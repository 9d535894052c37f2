"""What an assistant would have said, beside what a person answered, in a browser."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from host.assistants import assistants
from host.assistants.models import AssistantTurn, Mode, TurnState
from host.core import clock, db
from host.inbox import outcome
from host.models.inbox import Message
from tests.accessibility import violations
from tests.assistants.test_pages import path
from tests.assistants.turns import Turns, made, put
from tests.automation import test_page_browser
from tests.automation.automated import Automated

page = test_page_browser.page
pytestmark = pytest.mark.slow
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
SAID = (
    "To Norway it takes 4 to 6 days and costs 14 €. Parcels are insured, and we write to you when it leaves."
)


def pair(desk: Automated, id_: int) -> int:
    """Have a customer ask, an assistant think in shadow, and a person answer; return the turn."""
    desk.said(text="Hi! How long does a parcel to Norway take?")
    with db.read() as session:
        asked = session.scalar(sa.select(sa.func.max(Message.id)))
    (answer,) = desk.scene.reply("ana", "Hey Ana, about a week 🙂", clock.now())
    db.write(outcome.record_sent, answer, "sent-1")
    return Turns(desk, id_).add(
        TurnState.DISCARDED,
        mode=Mode.SHADOW,
        text=SAID,
        message_id=asked,
        answered_id=answer,
        reason="answered",
        model="local-large",
        took_ms=1400,
        sources=[{"number": 1, "title": "Shipping to the Nordics", "at": "2026-11-03T10:00:00+00:00"}],
    )


def test_a_pair_is_called_as_good_and_counts(automated: Automated, page: Any) -> None:
    id_ = made(automated)
    put(automated, id_, Mode.SHADOW)
    turn = pair(automated, id_)
    page.goto(path(automated, id_))
    assert page.get_by_role("button", name="Shadow", exact=True).get_attribute("aria-pressed") == "true"
    page.locator("#main").get_by_role("link", name="Recent answers", exact=True).click()
    page.get_by_role("link", name="Shadow", exact=True).click()
    page.get_by_text("Would have said").wait_for()
    for shown in ("How long does a parcel", "4 to 6 days", "about a week", "Shipping to the Nordics"):
        assert page.get_by_text(shown).first.is_visible(), shown
    for width in (360, 1440):
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            assert violations(page, runOnly=RULES) == []
    page.get_by_role("button", name="Equally good").click()
    page.get_by_text("Marked as right.").wait_for()
    with db.read() as session:
        assert session.get_one(AssistantTurn, turn).right is True
        account = automated.desk.account.id
        assert assistants.earned(session, id_, [account]) == {account: 1}
