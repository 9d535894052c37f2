"""The dialog of a deletion names the users, and the lists are red after it, at each width, light and dark."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

from host.automation.actions import AddLabel
from host.sequences.body import Act
from tests.accessibility import violations
from tests.browser.conftest import screenshot
from tests.sequences import test_pages_browser
from tests.sequences.sequenced import Sequenced
from tests.sequences.test_pages import path
from tests.sequences.test_what_uses_what import PEOPLE, a_rule, rest

page = test_pages_browser.page
IS_RED = """(line) => {
  const colour = getComputedStyle(line).color;
  line.style.color = "var(--bad-ink)";
  const red = getComputedStyle(line).color;
  line.style.color = "";
  return colour === red;
}"""


def looks(page: Any, name: str) -> Iterator[None]:
    """Show the page at each width, light and dark; hold it to WCAG and to its width after each."""
    for width, scheme in product((360, 1440), ("light", "dark")):
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        yield
        assert violations(page, runOnly=test_pages_browser.RULES) == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        screenshot(page, f"{name}-{width}-{scheme}")


def test_a_label_in_use_is_deleted(sequenced: Sequenced, page: Any) -> None:
    desk = sequenced
    used, unused = desk.label("Glaze"), desk.label("Kiln")
    desk.sequence(Act(id="label", action=AddLabel(used)), PEOPLE, name="Welcome")
    a_rule(desk, used)
    rest(desk, used)
    page.goto(f"/w/{desk.desk.workspace}/settings/labels")
    dialog = page.locator("dialog[data-ask][open]")

    def ask(label: int) -> None:
        form = page.locator(f'form[action$="/labels/{label}/delete"]')
        if not form.is_visible():
            page.locator(".label-more").filter(has=form).locator("summary").click()
        form.get_by_role("button", name="Delete, 0 conversations").click()

    ask(unused)
    for _ in looks(page, "used-by-nobody"):
        assert "Used by:" not in dialog.inner_text()
    dialog.get_by_role("button", name="Cancel").click()
    ask(used)
    for _ in looks(page, "used-by"):
        assert "Used by:" in dialog.inner_text()
        assert dialog.get_attribute("aria-describedby") == "ask-more"
    link = dialog.get_by_role("link", name="Welcome").get_attribute("href")
    assert link is not None
    assert link.startswith(path(desk))
    dialog.get_by_role("button", name="Delete").click()
    page.get_by_text("Label “Glaze” deleted.").wait_for()
    for name in ("sequences", "settings/rules"):
        page.goto(f"/w/{desk.desk.workspace}/{name}")
        for _ in looks(page, f"gone-{name.rpartition('/')[2]}"):
            page.get_by_text("Add a deleted label").first.wait_for()
            assert page.locator(".t-bad").evaluate(IS_RED)
