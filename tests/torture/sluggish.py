"""Each customer waits only for themselves, also where an addon is slow or fails.

An addon of the torture's own has a condition of a rule that takes long for one customer's messages, and a
listener that cannot handle them. Measured as :mod:`tests.torture.isolation` does, and how far the readers of
the event log are behind, which rules, sequences and listeners are.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from host.addons.package.build import build_release
from tests.torture.desk import Desk
from tests.torture.isolation import (
    Fault,
    Isolation,
    Sample,
    Stage,
    Tried,
    Watch,
    Writers,
    note_told,
    until_there,
)
from tests.torture.nemesis import Nemesis
from tests.torture.people import People
from tests.torture.strangers import Teller
from tests.whole.shops import ADMIN, Shop, prepare

LASTS = 45.0
"""Seconds a fault lasts at least: longer than five tries of an event take, and than Health takes to know."""
BEHIND = {"slow condition": 8.0, "failing listener": 22.0}
"""Seconds the readers of the event log may be behind: a second for each of the calls that are not paused, and
for a listener the five tries of an event with their pauses.
"""
NAMES = {"slow condition": "sluggish.slow", "failing listener": "sluggish.heard"}
"""What Health names, by the fault."""
WORDS = {"slow condition": "slowly", "failing listener": "broken"}
"""How the messages begin of the customer whom the fault concerns."""

MANIFEST = """\
slug = "sluggish"
name = "Sluggish"
version = "1.0.0"
publisher = "Lobby tests"
description = "An addon that is slow, or fails, for one customer."
license = "MIT"
package = "sluggish"
host = ">=1.0,<2"
sdk = ">=1.1,<2"
python = ">=3.11"
requires = []

[mark]
text = "SL"
tone = 6

[declares]
reads = ["conversations"]
"""
CODE = '''\
"""An addon that is slow, or fails, for one customer."""

from __future__ import annotations

import time
from collections.abc import Sequence

from host.sdk import clock
from host.sdk.events import DeskEvent, Listener
from host.sdk.hookspecs import hookimpl
from host.sdk.rules import AskedAbout, RuleCondition

SLOW_SECONDS = 12.0
FAILS_FOR_SECONDS = 60.0


def holds(about: AskedAbout, _value: str) -> bool:
    if about.text.startswith("slowly"):
        time.sleep(SLOW_SECONDS)
    return False


def handle(events: Sequence[DeskEvent]) -> None:
    for event in events:
        age = (clock.now() - event.at).total_seconds()
        if str(event.data["content"].get("text", "")).startswith("broken") and age < FAILS_FOR_SECONDS:
            raise ValueError("this message is too strange")


@hookimpl
def register_conditions() -> Sequence[RuleCondition]:
    return [RuleCondition("sluggish.slow", None, "the addon thinks so", holds)]


@hookimpl
def register_listeners() -> Sequence[Listener]:
    return [Listener("sluggish.heard", ("message.received",), handle)]
'''
RULE = {
    "when": "message.received",
    "conditions": [{"if": "addon", "name": "sluggish.slow"}],
    "actions": [{"do": "note", "text": "The addon thinks so."}],
}


class Addon(Stage):
    """Three accounts, and an active addon whose condition a rule of the first one's workspace has."""

    writes = 6.0

    def shops(self, desk: Desk) -> Sequence[Shop]:
        source = desk.folder / "sluggish"
        (source / "sluggish").mkdir(parents=True)
        (source / "addon.toml").write_text(MANIFEST)
        (source / "README.md").write_text("# Sluggish\n")
        (source / "sluggish" / "__init__.py").write_text('"""The addon."""\n')
        (source / "sluggish" / "addon.py").write_text(CODE)
        path, _ = build_release(source, desk.folder)
        rule = {"workspace": desk.homes["Pottery"], "name": "Slow", "body": RULE}
        prepare(desk, {"zip": str(path), "rules": [rule]})
        return super().shops(desk)

    def player(
        self, desk: Desk, writers: Writers, nemesis: Nemesis, people: People, **times: Any
    ) -> Isolation:
        return AddonFault(desk, writers, nemesis, **times)


class AddonFault(Isolation):
    """Has one customer write what the addon is slow for, or cannot handle."""

    def _cause(self, fault: Fault, calm: Sequence[Sample]) -> Tried:
        shop, customer = self.writers.people[0]
        with Watch(self.desk, LASTS) as told, Teller(lambda: self._is_told(fault)) as times:
            begin = time.monotonic()
            self.writers.says[customer] = WORDS[fault.kind]
            time.sleep(max(self.held, LASTS))
            end = time.monotonic()
            del self.writers.says[customer]
        waited = until_there(self.writers)
        tried = self._measured(fault, calm, begin, end, {(shop.igid, customer)})
        tried.figures += f", readers of the event log {told.behind:.1f} s"
        if told.behind > BEHIND[fault.kind]:
            allowed = BEHIND[fault.kind]
            tried.wrong.append(
                f"readers of the event log were {told.behind:.1f} s behind, and {allowed:g} s are allowed"
            )
        note_told(tried, fault, times, begin)
        tried.wrong += waited
        return tried

    def _is_told(self, fault: Fault) -> bool:
        page = self.desk.person(ADMIN).session.get(f"{self.desk.url}/admin/health", timeout=10)
        return NAMES[fault.kind] in page.text
