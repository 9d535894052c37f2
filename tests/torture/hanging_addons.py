"""An addon whose panel hangs for one customer, and one whose job never ends: nobody else notices.

While the panel hangs, an agent opens pages and panels of other customers as in calm times. While the job does
not end, another addon's job goes on, somebody asks for a page all the time, and the program that the job
started has to be ended with it.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import requests

from tests.torture.desk import Desk
from tests.torture.isolation import (
    NOISE_MS,
    Fault,
    Isolation,
    Sample,
    Tried,
    note_told,
    percentile,
    until_there,
)
from tests.torture.sluggish_addon import Places
from tests.torture.strangers import Teller
from tests.whole.rig import until
from tests.whole.shops import ADMIN, POTTERY_AGENT, POTTERY_OWNER

LASTS = 45.0
"""Seconds a fault lasts at least: longer than a call may take, after which it is given up."""
JOB_SECONDS = 10.0
"""How long a job may take here, in place of ten minutes (``launch.py``)."""
NAMES = {"hanging panel": "panel sluggish.orders", "endless job": "job endless"}
"""What Health names, by the fault."""
PANELS = ("sluggish.orders", "sluggish.notes")
FAILED = ("did not answer", "asked for this at the moment", "called at the moment", "could not load")
"""What a panel says that could not be loaded."""
PANEL_SECONDS = 5.0
"""How soon the panel that hangs says so: its two seconds, and a page's."""
JOBS_SECONDS = 20.0
"""Seconds between two runs of another addon's job, which is due every five, and looked at every five."""
ENDED_SECONDS = JOB_SECONDS + 15.0
"""How soon the program is gone that an endless job started: its time, the look at it, and its grace."""


@dataclass(frozen=True)
class Opened:
    """An answer: when it was asked for, monotonic, how long it took, and what was wrong; empty: nothing."""

    at: float
    ms: float
    wrong: str = ""


class Visits:
    """Has *visit* made again and again by a thread of its own while the block runs.

    :param visit: returns what is wrong with the answer, or nothing.
    :param pause: seconds between two visits.
    """

    def __init__(self, visit: Callable[[int], str], pause: float) -> None:
        self._visit = visit
        self._pause = pause
        self.answers: list[Opened] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)

    def __enter__(self) -> list[Opened]:
        self._thread.start()
        return self.answers

    def __exit__(self, *rest: object) -> None:
        self._over.set()
        self._thread.join(30)

    def _work(self) -> None:
        number = 0
        while not self._over.wait(self._pause):
            began = time.monotonic()
            try:
                wrong = self._visit(number)
            except requests.RequestException as error:
                wrong = repr(error)
            self.answers.append(Opened(began, (time.monotonic() - began) * 1000, wrong))
            number += 1


def complaints(what: str, answers: Sequence[Opened]) -> list[str]:
    """Return what is to be said of the *answers* that were wrong, or if there was none."""
    wrong = [one.wrong for one in answers if one.wrong]
    if not answers:
        return [f"{what}: nothing was asked for"]
    return [f"{what}: {len(wrong)} of {len(answers)} were wrong, such as {wrong[0]}"] if wrong else []


class HangingFault(Isolation):
    """Plays what of an addon hangs."""

    places: Places

    def _try(self, fault: Fault) -> Tried:
        if fault.kind != "hanging panel":
            return super()._try(fault)
        self._look_up()
        # They are opened in the calm time, too.
        with Visits(self._visit_others(), 0.05) as self.visits:
            return super()._try(fault)

    def _cause(self, fault: Fault, calm: Sequence[Sample]) -> Tried:
        return self._panel(fault, calm) if fault.kind == "hanging panel" else self._job(fault, calm)

    def _is_named(self, name: str) -> Callable[[], bool]:
        """Return what tells whether Health says *name* to an admin, who has signed in once."""
        session = self.desk.person(ADMIN).session

        def look() -> bool:
            page = session.get(f"{self.desk.url}/admin/health", timeout=10, allow_redirects=False)
            assert page.status_code == 200, page.status_code
            return name in page.text

        return look

    # A panel

    def _look_up(self) -> None:
        """Find the conversations of the first shop, that of the customer whom it concerns first."""
        shop, self.customer = self.writers.people[0]
        found = dict(
            tuple(row)
            for row in self.desk.rows(
                "SELECT i.external_id, c.id FROM conversations c "
                "JOIN contact_identities i ON i.id = c.identity_id "
                f"JOIN channel_accounts a ON a.id = i.account_id WHERE a.external_id = '{shop.igid}'"
            )
        )
        inbox = f"{self.desk.url}/w/{self.desk.homes['Pottery']}/inbox"
        self.theirs = f"{inbox}/{found.pop(self.customer)}"
        self.others = [f"{inbox}/{number}" for number in found.values()]

    def _visit_others(self) -> Callable[[int], str]:
        """Return a visit to a page or a panel of another customer, one after the other."""
        session = self.desk.person(POTTERY_AGENT).session

        def visit(number: int) -> str:
            page = self.others[number // 3 % len(self.others)]
            if (part := number % 3) == 0:
                return _wrong_page(session.get(page, timeout=30))
            return _wrong_panel(session.get(f"{page}/panels/{PANELS[part - 1]}", timeout=30))

        return visit

    def _visit_theirs(self) -> Callable[[int], str]:
        """Return a visit to the panel that hangs and says so, and to the one beside it, which does not."""
        session = self.desk.person(POTTERY_OWNER).session

        def visit(number: int) -> str:
            if number % 2:
                return _wrong_panel(session.get(f"{self.theirs}/panels/{PANELS[1]}", timeout=30))
            began = time.monotonic()
            text = session.get(f"{self.theirs}/panels/{PANELS[0]}", timeout=30).text
            took = time.monotonic() - began
            if FAILED[0] not in text:
                return f"the panel that hangs said {text[:200]}"
            return "" if took < PANEL_SECONDS else f"the panel that hangs said so after {took:.1f} s"

        return visit

    def _panel(self, fault: Fault, calm: Sequence[Sample]) -> Tried:
        shop, customer = self.writers.people[0]
        calm_begins, hung = time.monotonic() - self.calm, self.places.hung
        self.places.hang_for(customer)
        begin = time.monotonic()
        with Teller(self._is_named(NAMES[fault.kind])) as times, Visits(self._visit_theirs(), 0.5) as theirs:
            time.sleep(max(self.held, LASTS))
            end = time.monotonic()
        hung = self.places.hung - hung
        self.places.hang_for("")
        waited = until_there(self.writers)
        tried = self._measured(fault, calm, begin, end, {(shop.igid, customer)})
        was = [one for one in self.visits if calm_begins <= one.at < begin]
        now = [one for one in self.visits if begin <= one.at < end]
        self._compare(tried, fault, was, now)
        tried.wrong += complaints("pages of other customers", now)
        tried.wrong += complaints("panels of the customer it concerns", theirs)
        tried.figures += f"; {hung} calls hung"
        if hung != 1:
            tried.wrong.append(f"{hung} calls of the panel hung, and one customer's may cost one thread")
        note_told(tried, fault, times, begin)
        tried.wrong += waited
        return tried

    def _compare(self, tried: Tried, fault: Fault, was: Sequence[Opened], now: Sequence[Opened]) -> None:
        """Hold how long pages and panels of other customers took against the calm time."""
        before = percentile([one.ms for one in was], 0.95)
        after = percentile([one.ms for one in now], 0.95)
        words = (
            f"pages and panels of others p95 {after:.0f} ms of {len(now)}, calm {before:.0f} ms of "
            f"{len(was)}: {after / before if before else 0:.2f} times"
        )
        tried.figures += f"; {words}"
        if after > before * fault.ratio + NOISE_MS:
            tried.wrong.append(f"{words}; at most {fault.ratio:g} times is allowed")

    # A job

    def _job(self, fault: Fault, calm: Sequence[Sample]) -> Tried:
        before = set(self.places.children)
        self.places.be_endless(endless=True)
        begin = time.monotonic()
        visit = _visitor(self.desk)
        with Teller(self._is_named(NAMES[fault.kind])) as times, Visits(visit, 0.2) as answers:
            time.sleep(max(self.held, LASTS))
            end = time.monotonic()
            self.places.be_endless(endless=False)
            children = set(self.places.children) - before
            left = _left(children)
        waited = until_there(self.writers)
        tried = self._measured(fault, calm, begin, end, set())
        longest = _longest_pause(self.places.steady, begin, end)
        tried.figures += (
            f"; {len(children)} programs started; another addon's job at most {longest:.1f} s apart"
        )
        if longest > JOBS_SECONDS:
            tried.wrong.append(f"another addon's job had to wait {longest:.1f} s")
        if not children:
            tried.wrong.append("the job never began")
        if left:
            tried.wrong.append(f"{len(left)} programs of the job are still there after {ENDED_SECONDS:g} s")
        tried.wrong += complaints("pages", answers)
        note_told(tried, fault, times, begin)
        tried.wrong += waited
        return tried


def _longest_pause(ran: Sequence[float], begin: float, end: float) -> float:
    """Return how far apart two runs were at most, from the last before *begin* to *end*."""
    known = [max([at for at in ran if at < begin], default=begin), *(at for at in ran if begin <= at < end)]
    return max(later - earlier for earlier, later in zip(known, [*known[1:], end], strict=True))


def _left(children: set[int]) -> set[int]:
    """Return which of *children* do not end in time, and end them."""

    def alive() -> set[int]:
        return {one for one in children if os.path.exists(f"/proc/{one}")}

    with suppress(AssertionError):
        until(lambda: not alive(), "the end of what an endless job started", ENDED_SECONDS)
    left = alive()
    for one in left:
        with suppress(ProcessLookupError):
            os.kill(one, signal.SIGKILL)
    return left


def _visitor(desk: Desk) -> Callable[[int], str]:
    """Return a visit to a page over a connection of its own, as everybody's first one is."""

    def visit(_number: int) -> str:
        return _wrong_page(requests.get(f"{desk.url}/login", timeout=30))

    return visit


def _wrong_page(answer: requests.Response) -> str:
    return "" if answer.status_code == 200 else f"{answer.status_code} {answer.text[:200]}"


def _wrong_panel(answer: requests.Response) -> str:
    if answer.status_code != 200 or answer.json()["failed"] or any(one in answer.text for one in FAILED):
        return f"{answer.status_code} {answer.text[:200]}"
    return ""
