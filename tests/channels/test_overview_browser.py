"""The overview of automation in a browser, at every width, light and dark."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from host.assistants.models import Mode
from host.channels import button_payloads
from host.core import db
from host.models.channels import AccountState
from host.rules.models import RuleState
from tests.accessibility import violations
from tests.assistants import turns
from tests.automation import test_page_browser
from tests.channels.test_overview import CLOSE, add_account, address, rename, set_hours
from tests.channels.toy import ToyAdapter
from tests.helpers import do
from tests.inbox import conftest as inbox
from tests.inbox.desks import open_desk
from tests.rules.below import WALL, Below

base, page = inbox.base, test_page_browser.page
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


@pytest.fixture
def automated(database: db.Database, data: Path) -> Below:
    return Below(open_desk(data, WALL, ToyAdapter()))


@pytest.fixture
def desk(automated: Below) -> Any:
    return automated.desk


def furnish(desk: Below) -> None:
    """Let something of each kind run, in every state."""
    rename(desk)
    set_hours(desk)
    team = desk.team(desk.person("Lea K."), name="Front of shop")
    desk.set(greets=True, greeting="Hello", tells_away=True, away="Later", routes=True, team_id=team)
    label = desk.label("VIP")
    desk.rule({"do": "label", "label": label}, name="VIP")
    desk.rule(CLOSE, name="Refund words", state=RuleState.SHADOW)
    desk.campaign(name="LINK")
    pia = turns.made(desk, "Shop desk")
    turns.put(desk, pia, Mode.SUGGEST)
    toy = add_account(desk, "@sample.studio.with.a.long.name")
    turns.put(desk, pia, Mode.SHADOW, account_id=toy)
    do(button_payloads.remember_payloads, desk.workspace, toy, "ice_breakers", ["a", "b"])
    add_account(desk, "away@pottery.example", state=AccountState.NEEDS_RECONNECT)
    of_lost = {"if": "conversation", "filter": {"channel": "lost"}}
    desk.rule(CLOSE, name="Wholesale", conditions=[of_lost])


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_accessible_and_no_wider_than_a_phone(automated: Below, page: Any, scheme: str) -> None:
    furnish(automated)
    page.emulate_media(color_scheme=scheme)
    for width in (360, 1024, 1440):
        page.set_viewport_size({"width": width, "height": 900})
        page.goto(address(automated))
        page.get_by_text("The rule Wholesale can't run.", exact=True).wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert violations(page, runOnly=RULES) == []
