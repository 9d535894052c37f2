"""Each customer waits only for themselves, also where an addon is slow or fails.

An addon of the torture's own has a condition of a rule that takes long for one customer's messages, a
listener that cannot handle them, a panel that hangs for them, and a job that never ends. Measured as
:mod:`tests.torture.isolation` does, and how far the readers of the event log are behind, which rules,
sequences and listeners are. What hangs is in :mod:`tests.torture.hanging_addons`.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from tests.torture.desk import Desk
from tests.torture.hanging_addons import JOB_SECONDS, HangingFault
from tests.torture.isolation import (
    CUSTOMERS,
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
from tests.torture.sluggish_addon import Places, build
from tests.torture.strangers import Teller
from tests.whole.shops import Shop, prepare

LASTS = 45.0
"""Seconds a fault lasts at least: longer than five tries of an event take, and than Health takes to know."""
BEHIND = {"slow condition": 8.0, "failing listener": 22.0}
"""Seconds the readers of the event log may be behind: a second for each of the calls that are not paused, and
for a listener the five tries of an event with their pauses.
"""
NAMES = {"slow condition": "sluggish.slow", "failing listener": "sluggish.heard"}
"""What Health names, by the fault."""
RULED = 4
"""Customers of the first shop, whose messages start its rule. With a database 20 ms away, one process does
about one run of a rule a second: were there more messages, all runs would be late, whatever the addon does.
"""
WORDS = {"slow condition": "slowly", "failing listener": "broken"}
"""How the messages begin of the customer whom the fault concerns."""

RULE = {
    "when": "message.received",
    "conditions": [{"if": "addon", "name": "sluggish.slow"}],
    "actions": [{"do": "note", "text": "The addon thinks so."}],
}


class Addon(Stage):
    """Three accounts, and two active addons; a rule of the first one's workspace has the condition of one."""

    writes = 6.0

    def shops(self, desk: Desk) -> Sequence[Shop]:
        self.places = Places(desk.folder / "places")
        prepare(desk, {"zip": str(build("steady", desk.folder, self.places))})
        rule = {"workspace": desk.homes["Pottery"], "name": "Slow", "body": RULE}
        prepare(desk, {"zip": str(build("sluggish", desk.folder, self.places)), "rules": [rule]})
        desk.settings["TORTURE_JOB_SECONDS"] = f"{JOB_SECONDS:g}"
        return super().shops(desk)

    def writers(self, shops: Sequence[Shop]) -> list[tuple[Shop, str]]:
        each = [RULED, *[(CUSTOMERS * 3 - RULED) // 2] * 2]
        return [
            (shop, f"10288{number}{position:011}")
            for number, (shop, count) in enumerate(zip(shops, each, strict=True))
            for position in range(count)
        ]

    def player(
        self, desk: Desk, writers: Writers, nemesis: Nemesis, people: People, **times: Any
    ) -> Isolation:
        played = AddonFault(desk, writers, nemesis, **times)
        played.places = self.places
        return played


class AddonFault(HangingFault):
    """Has one customer write what the addon is slow for, or cannot handle, or has it hang."""

    def _cause(self, fault: Fault, calm: Sequence[Sample]) -> Tried:
        if fault.kind not in WORDS:
            return super()._cause(fault, calm)
        shop, customer = self.writers.people[0]
        with Watch(self.desk, LASTS) as told, Teller(self._is_named(NAMES[fault.kind])) as times:
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
