"""The pages of models and tools in a browser: at every width, light and dark, and by hand."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy.orm import Session

from host.assistants.language import language_models
from host.assistants.language.language_models import ModelInput
from host.assistants.models import LanguageModel
from host.core import db
from host.sdk.rules import ToolEffect
from sandbox.model.server import ModelServer
from tests.accessibility import violations
from tests.assistants.staffed import Staffed
from tests.automation import test_page_browser
from tests.automation.automated import Automated
from tests.automation.test_page_browser import Person
from tests.helpers import work
from tests.inbox import toys

page = test_page_browser.page
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


def furnished(desk: Automated) -> tuple[int, Staffed, int]:
    """Add models in every state and tools of every effect; return ids of a model and of a tool."""

    def add(session: Session) -> list[LanguageModel]:
        values = (
            ModelInput(
                "Large", "openai", "https://api.example.com/v1", "large-1", "k", 2_500_000, 10_000_000
            ),
            ModelInput(
                "At the studio", "openai", "https://models.pottery.example/v1", "a-model-with-a-long-name"
            ),
            ModelInput(
                "Other", "anthropic", "https://api.other.example", "other-2", "k", 15_000, 60_000, "EUR"
            ),
        )
        rows = [language_models.create(work(session, desk.desk.workspace), one) for one in values]
        rows[1].problem, rows[1].tried_at = "model_failed", rows[1].created_at
        rows[2].tried_at = rows[2].created_at
        return rows

    model = db.write(add)[0].id
    staffed = Staffed(desk)
    tool = staffed.tool("https://shop.pottery.example/orders")
    for number, effect in enumerate((ToolEffect.ASKS, ToolEffect.REVERSIBLE)):
        staffed.tool(
            "https://shop.pottery.example/hold", name=f"hold_{number}", title="Hold a piece", effect=effect
        )
    return model, staffed, tool.id


@pytest.mark.slow
def test_every_page_fits_and_can_be_read_by_everybody(automated: Automated, page: Any) -> None:
    workspace = automated.desk.workspace
    paths = {"models-none": f"/w/{workspace}/settings/models"}
    look(page, paths)
    model, staffed, tool = furnished(automated)
    tools = f"/w/{workspace}/assistants/{staffed.assistant}/tools"
    look(
        page,
        {
            "models": f"/w/{workspace}/settings/models",
            "model": f"/w/{workspace}/settings/models/{model}",
            "model-new": f"/w/{workspace}/settings/models/new?preset=local",
            "tools": tools,
            "tool": f"{tools}/{tool}",
        },
    )


def look(page: Any, paths: dict[str, str]) -> None:
    for name, path in paths.items():
        for width in (1440, 360):
            page.set_viewport_size({"width": width, "height": 900})
            for scheme in ("light", "dark"):
                page.emulate_media(color_scheme=scheme)
                page.goto(path)
                wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
                assert wide <= 0, (name, width)
                found = violations(page, runOnly={"type": "tag", "values": RULES})
                assert [(one["id"], one["nodes"][0]["html"]) for one in found] == [], (name, width, scheme)


def test_a_model_is_added_and_tried_by_hand(automated: Automated, page: Any, model: ModelServer) -> None:
    page.goto(f"/w/{automated.desk.workspace}/settings/rules")
    person = Person(page)
    person.click("link", name="Language models", exact=True)
    person.click("link", name="A local server")
    person.fill("Address", f"{model.url}/v1")
    person.fill("Model", "stand-in")
    person.click("button", name="Save")
    person.click("button", name="Try it")
    assert "answered in" in page.locator(".flash").inner_text()
    assert toys.only(LanguageModel).problem is None
