"""From pressing *Erase* to every open page of a colleague without the customer, and with a sentence."""

from __future__ import annotations

import shutil
import sqlite3
import statistics
import time
from contextlib import ExitStack

from playwright.sync_api import BrowserContext, Page

from bench.hand import answerable, chromium, signed_in
from bench.plan import Figure, Plan
from bench.servers import Desk, Served, product

SOON_MS = 2_000
CUSTOMERS = 10
_QUICK_CUSTOMERS = 3
_PATIENCE_MS = 30_000
_NOTICE = "main [data-erased-notice]"
_PRESS = """() => {
  const at = Date.now();
  document.querySelector("#erase-name").form.requestSubmit();
  return at;
}"""
_NOTES_WHEN = """new MutationObserver(() => {
  if (document.querySelector("main [data-erased-notice]")) window.toldAt ??= Date.now();
}).observe(document, { childList: true, subtree: true });"""


def erased(plan: Plan) -> list[Figure]:
    """Measure how soon an open conversation, the contact's page and the page of merging follow."""
    desk = answerable(plan.desk, plan, "erased")
    _let_erase(desk)
    try:
        with product(desk, plan.folder, workers=1) as served:
            times = measure(served, desk, _QUICK_CUSTOMERS if plan.quick else CUSTOMERS)
    finally:
        shutil.rmtree(desk.data)
    slowest = [max(one.values()) for one in times]
    each = ", ".join(f"{name} {statistics.median(one[name] for one in times):,.0f} ms" for name in times[0])
    return [
        Figure(
            "erased pages",
            f"milliseconds from pressing Erase to the last open page of a colleague ÷ {SOON_MS:,}",
            tuple(one / SOON_MS for one in slowest),
            1.0,
            False,
            f"median {statistics.median(slowest):,.0f} ms, slowest of {len(slowest)} customers "
            f"{max(slowest):,.0f} ms; {each}",
        )
    ]


def _let_erase(desk: Desk) -> None:
    """Make the agent an owner who has just entered their password."""
    file = sqlite3.connect(desk.data / "lobby.sqlite3")
    try:
        now = time.strftime("%Y-%m-%d %H:%M:%S.000000", time.gmtime())
        file.execute("UPDATE memberships SET role = 'owner'")
        file.execute("UPDATE login_sessions SET confirmed_at = ?", (now,))
        file.commit()
    finally:
        file.close()


def measure(served: Served, desk: Desk, customers: int) -> list[dict[str, float]]:
    """Erase customers one after another; return the milliseconds until each page followed."""
    times = []
    with ExitStack() as stack:
        browser = stack.enter_context(chromium())
        owner = signed_in(browser, desk, served.port).new_page()
        colleague = signed_in(browser, desk, served.port)
        colleague.add_init_script(_NOTES_WHEN)
        for _ in range(customers):
            times.append(_erase_one(owner, colleague, f"/w/{desk.workspace}"))
    return times


def _erase_one(owner: Page, colleague: BrowserContext, below: str) -> dict[str, float]:
    owner.goto(f"{below}/inbox")
    row, name = owner.locator("[data-row]").first.evaluate("one => [one.dataset.row, one.dataset.name]")
    pages = {"conversation": colleague.new_page()}
    pages["conversation"].goto(f"{below}/inbox/{row}")
    contact = pages["conversation"].locator(f"a[href*='{below}/contacts/']").first.get_attribute("href")
    for what, address in (("contact", contact), ("merging", f"{contact}/merge")):
        pages[what] = colleague.new_page()
        pages[what].goto(str(address))
        pages[what].get_by_text(name).first.wait_for(state="attached")
    owner.goto(f"{below}/inbox/{row}/erase")
    owner.fill("#erase-name", name)
    pressed = owner.evaluate(_PRESS)
    took = {}
    for what, page in pages.items():
        page.wait_for_selector(_NOTICE, timeout=_PATIENCE_MS)
        took[what] = page.evaluate("window.toldAt") - pressed
        page.close()
    return took
