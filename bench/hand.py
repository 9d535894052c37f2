"""The inbox in the hand: the bytes it loads, how soon a click is painted, and a shift of 40 customers."""

from __future__ import annotations

import hashlib
import itertools
import shutil
import sqlite3
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from playwright.sync_api import Browser, BrowserContext, CDPSession, Page, sync_playwright

from bench.pages import filled
from bench.plan import Figure, Plan, SkippedError
from bench.servers import Desk, Served, product

MESSAGES = 10_000
CUSTOMERS = 40
CLICKS = 20
FIRST_INBOX_BYTES = 150_000
CLICK_BYTES = 20_000
SLOW = 4
"""How many times slower the processor of a small laptop is made."""
THINKS_SECONDS = 0.5
"""How long the agent of the shift looks before each thing they do."""
LABEL = "order"
_LETTER_MS = 40
_SETTLED_MS = 1_500
_POINTS_MS = 150
"""How long a pointer is over a row before it is pressed: people take a tenth to a third of a second."""
_HELD_SECONDS = 3_600
"""Replies of the shift wait that long before they are sent: nobody takes them here."""


@dataclass(slots=True)
class Hand:
    """The measurements of one browser on one desk.

    :param first_bytes: bytes on the wire of the first page, nothing cached; *requests*: how many.
    :param click_bytes: median bytes on the wire of a click on a conversation.
    :param painted: median milliseconds from the click to the painted conversation, by how many times slower
        the processor is; *at_once*: of clicks without a pointer that came there before.
    """

    first_bytes: int
    requests: int
    click_bytes: float
    painted: dict[int, float]
    at_once: dict[int, float]


def answerable(desk: Desk, plan: Plan, name: str) -> Desk:
    """Return a copy of *desk* with conversations whose customers have just written, and a label."""
    full = filled(desk, plan.folder / name, MESSAGES)
    file = sqlite3.connect(full.data / "lobby.sqlite3")
    try:
        now = time.strftime("%Y-%m-%d %H:%M:%S.000000", time.gmtime())
        file.execute("UPDATE conversations SET last_inbound_at = ? WHERE status = 'open'", (now,))
        key = hashlib.sha256(LABEL.encode()).hexdigest()
        file.execute(
            "INSERT INTO labels (workspace_id, name, name_key, tone, created_at) VALUES (?, ?, ?, 'red', ?)",
            (desk.workspace, LABEL, key, now),
        )
        file.execute("UPDATE workspaces SET undo_seconds = ?", (_HELD_SECONDS,))
        file.commit()
    finally:
        file.close()
    return full


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start a browser.

    :raises SkippedError: if this machine has none.
    """
    program = shutil.which("chromium-headless-shell") or shutil.which("chromium")
    if program is None:
        raise SkippedError("no Chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def page_of(served: Served, desk: Desk) -> Iterator[tuple[Page, CDPSession]]:
    """Open a browser of the signed-in agent; nothing is loaded yet."""
    with chromium() as browser:
        context = signed_in(browser, desk, served.port, viewport={"width": 1440, "height": 900})
        page = context.new_page()
        yield page, context.new_cdp_session(page)


def signed_in(browser: Browser, desk: Desk, port: int, **options: Any) -> BrowserContext:
    """Return a context of *browser* in which the agent is signed in at the desk behind *port*."""
    url = f"http://127.0.0.1:{port}"
    context = browser.new_context(base_url=url, **options)
    name, _, value = desk.cookies[0].partition("=")
    context.add_cookies([{"name": name, "value": value.partition(";")[0], "url": url}])
    return context


def sizes_of(devtools: CDPSession) -> list[int]:
    """Return a list that gets the bytes on the wire of each answer from now on.

    What a page only prefetches for later is left out: browsers load it after everything else, if at all.
    """
    sizes: list[int] = []
    later: set[str] = set()

    def begins(event: dict[str, Any]) -> None:
        if event["request"]["initialPriority"] == "VeryLow":
            later.add(event["requestId"])

    def ends(event: dict[str, Any]) -> None:
        if event["requestId"] not in later:
            sizes.append(int(event["encodedDataLength"]))

    devtools.on("Network.requestWillBeSent", begins)
    devtools.on("Network.loadingFinished", ends)
    devtools.send("Network.enable")
    return sizes


def measure(served: Served, desk: Desk) -> Hand:
    """Load the inbox once, then click through conversations at each speed of the processor."""
    inbox = f"/w/{desk.workspace}/inbox"
    with page_of(served, desk) as (page, devtools):
        sizes = sizes_of(devtools)
        page.goto(inbox)
        page.wait_for_timeout(_SETTLED_MS)
        first, requests = sum(sizes), len(sizes)
        rows = page.locator("[data-row]").evaluate_all("all => all.map(one => one.dataset.row)")
        clicks: list[int] = []
        times: dict[tuple[int, bool], float] = {}
        for slower, points in itertools.product((1, SLOW), (True, False)):
            devtools.send("Emulation.setCPUThrottlingRate", {"rate": slower})
            took = []
            for row in rows[1 : CLICKS + 1]:
                sizes.clear()
                if points:
                    page.locator(f'[data-row="{row}"]').hover()
                    page.wait_for_timeout(_POINTS_MS)
                took.append(page.evaluate(CLICK_AND_LOOK, row))
                page.wait_for_timeout(_POINTS_MS)
                clicks.append(sum(sizes))
            page.mouse.move(0, 0)
            times[slower, points] = statistics.median(took)
        painted, at_once = ({one: times[one, points] for one in (1, SLOW)} for points in (True, False))
        return Hand(first, requests, statistics.median(clicks), painted, at_once)


CLICK_AND_LOOK = """row => new Promise((done) => {
  const began = performance.now();
  const look = () => {
    const there = document.querySelector("[data-part=opened]")?.dataset.conversation === row;
    requestAnimationFrame(there ? () => done(performance.now() - began) : look);
  };
  document.querySelector(`[data-row="${row}"] a`).click();
  look();
})"""


_FIRST_ROW = """() => {
  const { row, name } = document.querySelector("[data-row]").dataset;
  return [row, name];
}"""


def hand(plan: Plan) -> list[Figure]:
    """Measure what the inbox weighs, how soon a click is painted, and a shift of 40 conversations."""
    desk = answerable(plan.desk, plan, "hand")
    try:
        with product(desk, plan.folder, workers=1) as served:
            found = measure(served, desk)
            times = shift(served, desk, 10 if plan.quick else CUSTOMERS)
    finally:
        shutil.rmtree(desk.data)
    figures = [
        Figure(
            "hand first inbox",
            f"bytes of the first inbox on the wire ÷ {FIRST_INBOX_BYTES:,}",
            (found.first_bytes / FIRST_INBOX_BYTES,),
            1.0,
            False,
            f"{found.first_bytes / 1000:.0f} kB in {found.requests} requests",
        ),
        Figure(
            "hand click",
            f"bytes of a click on a conversation on the wire ÷ {CLICK_BYTES:,}",
            (found.click_bytes / CLICK_BYTES,),
            1.0,
            False,
            f"{found.click_bytes / 1000:.1f} kB; painted after {found.painted[1]:.0f} ms, "
            f"with a processor {SLOW} times slower after {found.painted[SLOW]:.0f} ms; "
            f"without pointing first, after {found.at_once[1]:.0f} and {found.at_once[SLOW]:.0f} ms",
        ),
    ]
    for name, took in times.items():
        worst = sorted(took)[-max(1, len(took) // 10)]
        figures.append(
            Figure(
                f"hand {name}",
                f"seconds until {SHOWN[name]}, median of a shift",
                (statistics.median(took),),
                None,
                False,
                f"{len(took)} times, one in ten {worst * 1000:.0f} ms or more",
            )
        )
    return figures


SHOWN = {
    "opens": "the conversation is there",
    "answers": "the reply stands in the thread",
    "labels": "the label is shown",
    "snoozes": "the conversation is snoozed",
    "searches": "the customer is found",
}


def shift(served: Served, desk: Desk, customers: int) -> dict[str, list[float]]:
    """Work through conversations at a person's speed; return how many seconds each of :data:`SHOWN` took."""
    times: dict[str, list[float]] = {name: [] for name in SHOWN}
    inbox = f"/w/{desk.workspace}/inbox"
    with page_of(served, desk) as (page, _devtools):
        page.goto(inbox)
        page.wait_for_selector("[data-row]")

        def timed(name: str, act: Callable[[], object], shown: str, state: str = "attached") -> None:
            time.sleep(THINKS_SECONDS)
            began = time.monotonic()
            act()
            page.wait_for_selector(shown, state=state)  # type: ignore[arg-type]
            times[name].append(time.monotonic() - began)

        for _ in range(customers):
            row, name = page.evaluate(_FIRST_ROW)
            there = f'[data-part=opened][data-conversation="{row}"]'
            timed("opens", page.locator(f'[data-row="{row}"] a').first.click, there)
            page.keyboard.press("r")
            page.keyboard.type(f"Yes, {name}, it is.", delay=_LETTER_MS)
            timed("answers", lambda: page.keyboard.press("Control+Enter"), ".msg-waits")
            page.keyboard.press("Escape")
            page.keyboard.press("t")
            page.wait_for_selector("[data-menu=labels][open] :focus")
            label = page.locator("[data-menu=labels]").get_by_role("button", name=LABEL, exact=True)
            timed("labels", partial(label.press, "Enter"), ".labels .lbl-off")
            page.keyboard.press("s")
            page.wait_for_selector("[data-menu=snooze][open] :focus")
            timed("snoozes", lambda: page.keyboard.press("Enter"), "[data-part=head] form[data-act=wake]")
            page.goto(f"/w/{desk.workspace}/search")
            last = "".join(name.split()[-1:])
            timed("searches", partial(page.keyboard.type, last), f'.search-person:has-text("{name}")')
            page.goto(inbox)
            page.wait_for_selector("[data-row]")
    return times
