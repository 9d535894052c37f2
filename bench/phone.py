"""The inbox on a phone: a slow processor, a slow line, and nothing or a copy on the device."""

from __future__ import annotations

import shutil
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import BrowserContext, Page

from bench.hand import (
    CLICK_AND_LOOK,
    FIRST_INBOX_BYTES,
    SLOW,
    answerable,
    chromium,
    page_of,
    signed_in,
    sizes_of,
)
from bench.plan import Figure, Plan, medians
from bench.servers import Desk, Served, product
from bench.slow_line import slow_line

PHONE: dict[str, Any] = {
    "viewport": {"width": 360, "height": 780},
    "device_scale_factor": 2,
    "is_mobile": True,
    "has_touch": True,
}
SECOND_START_MS = 1_500
_SETTLED_MS = 4_000
_COPIED_SECONDS = 120
_SEEN = """() => new Promise((done) => {
  const found = { shown: 0, shifts: 0 };
  const look = (type, take) => {
    new PerformanceObserver((list) => list.getEntries().forEach(take)).observe({ type, buffered: true });
  };
  look('largest-contentful-paint', (one) => { found.shown = one.startTime; });
  look('layout-shift', (one) => { if (!one.hadRecentInput) found.shifts += one.value; });
  setTimeout(() => done([found.shown, found.shifts]), 300);
})"""
_COPIED = """async () => {
  for (const name of await caches.keys()) {
    if (await caches.match('/offline/state', { cacheName: name })) return true;
  }
  return false;
}"""


@dataclass(slots=True)
class Phone:
    """The measurements of one start.

    :param first_bytes: bytes on the wire of the first page, nothing cached.
    :param start_ms: from opening the address to the painted list.
    :param conversation_ms: from the tap to the painted conversation.
    :param shifts: the layout shift of the start, as browsers count it.
    """

    first_bytes: int
    start_ms: float
    conversation_ms: float
    shifts: float


def measure(served: Served, desk: Desk) -> Phone:
    """Open the inbox with nothing cached, and a conversation of it."""
    _warm(served, desk)
    with ExitStack() as stack:
        context = _phone(stack, served, desk)
        page, sizes = _page(context)
        page.goto(_inbox(desk))
        page.wait_for_timeout(_SETTLED_MS)
        first = sum(sizes)
        start, shifts = page.evaluate(_SEEN)
        row = page.locator("[data-row]").nth(1).get_attribute("data-row")
        return Phone(first, start, page.evaluate(CLICK_AND_LOOK, row), shifts)


def second_start(served: Served, desk: Desk) -> tuple[float, float]:
    """Return the milliseconds until the list is painted on a device that has a copy, and the layout shift."""
    with ExitStack() as stack:
        context = _phone(stack, served, desk)
        page, _ = _page(context)
        page.goto(_inbox(desk))
        user = page.locator("[data-inbox]").get_attribute("data-user")
        page.evaluate("name => localStorage.setItem(name, 'yes')", f"lobby-offline-{user}")
        page.reload()
        for _ in range(_COPIED_SECONDS):
            if page.evaluate(_COPIED):
                break
            page.wait_for_timeout(1_000)
        page.close()
        page, _ = _page(context)
        page.goto(_inbox(desk), wait_until="commit")
        page.wait_for_timeout(_SETTLED_MS)
        start, shifts = page.evaluate(_SEEN)
        return start, shifts


def _warm(served: Served, desk: Desk) -> None:
    """Let the desk answer once: it compresses each file when it is first asked for."""
    with page_of(served, desk) as (page, _):
        page.goto(_inbox(desk), wait_until="networkidle")


def _inbox(desk: Desk) -> str:
    return f"/w/{desk.workspace}/inbox"


def _phone(stack: ExitStack, served: Served, desk: Desk) -> BrowserContext:
    port = stack.enter_context(slow_line(served.port))
    browser = stack.enter_context(chromium())
    return signed_in(browser, desk, port, **PHONE)


def _page(context: BrowserContext) -> tuple[Page, list[int]]:
    """Return a page, and the bytes of its answers: see :func:`bench.hand.sizes_of`."""
    page = context.new_page()
    devtools = context.new_cdp_session(page)
    sizes = sizes_of(devtools)
    devtools.send("Emulation.setCPUThrottlingRate", {"rate": SLOW})
    return page, sizes


def phone(plan: Plan) -> list[Figure]:
    """Measure a first start and a second one with a copy on the device."""
    desk = answerable(plan.desk, plan, "phone")
    try:
        with product(desk, plan.folder, workers=1) as served:
            first = [measure(served, desk) for _ in range(plan.rounds)]
            second = [second_start(served, desk) for _ in range(1 if plan.quick else plan.rounds)]
    finally:
        shutil.rmtree(desk.data)
    size, start, tap = medians([(one.first_bytes, one.start_ms, one.conversation_ms) for one in first])
    shifts = max([one.shifts for one in first] + [shift for _, shift in second])
    line = f"a processor {SLOW} times slower and a slow 4G line"
    return [
        Figure(
            "phone first visit",
            f"bytes of the first inbox on the wire ÷ {FIRST_INBOX_BYTES:,}",
            tuple(one.first_bytes / FIRST_INBOX_BYTES for one in first),
            1.0,
            False,
            f"{size / 1000:.0f} kB; with {line} the list is there after {start:,.0f} ms, "
            f"a tapped conversation after {tap:,.0f} ms; layout shift {shifts:.3f}",
        ),
        Figure(
            "phone second start",
            f"milliseconds until the list is there, from the copy ÷ {SECOND_START_MS:,}",
            tuple(took / SECOND_START_MS for took, _ in second),
            1.0,
            False,
            f"{medians([(took,) for took, _ in second])[0]:,.0f} ms with {line}",
        ),
    ]
