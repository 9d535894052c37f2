"""Negative controls: a desk that lacks one promise has to be found out, or the torture proves nothing."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import requests

from demo.processes import Sandbox
from host.core.backports.values import replace
from tests.torture import powerloss
from tests.torture.desk import Desk
from tests.torture.lanes import REST_SECONDS, Outcome, Plan, own_sandbox, play
from tests.whole.shops import CAFE, POTTERY, STUDIO

GRAPH = "v25.0"


@dataclass(frozen=True)
class Control:
    """One promise taken away.

    :param mutant: what ``launch.py`` does to the desk; empty: nothing.
    :param breaks: the invariant that has to break; empty: none may.
    """

    name: str
    mutant: str
    breaks: str
    plan: Plan
    before: Callable[[Desk], None] = lambda _: None
    shim: bool = False


def _drop_key(desk: Desk) -> None:
    """Take the unique key off the journal. SQLite knows no other way than to make the table again."""
    with closing(sqlite3.connect(desk.data / "lobby.sqlite3", isolation_level=None)) as file:
        (table,) = file.execute("SELECT sql FROM sqlite_master WHERE name = 'inbound_events'").fetchone()
        indexes = file.execute(
            "SELECT sql FROM sqlite_master WHERE tbl_name = 'inbound_events' AND type = 'index' "
            "AND sql IS NOT NULL"
        ).fetchall()
        plain, count = re.subn(r",\s*CONSTRAINT \w+ UNIQUE \([^)]*\)", "", table)
        assert count == 1, table
        file.execute("DROP TABLE inbound_events")
        file.execute(plain)
        for (index,) in indexes:
            file.execute(index)


def _subscribe(sandbox: Sandbox) -> None:
    """Have a new sandbox tell the desk of what its Pages receive, as connecting them did in the first one."""
    for shop in (POTTERY, STUDIO, CAFE):
        answer = requests.post(
            f"{sandbox.url}/graph.facebook.com/{GRAPH}/{shop.page}/subscribed_apps",
            json={"subscribed_fields": ["messages", "message_echoes", "message_reads"]},
            headers={"Authorization": f"Bearer {shop.token}"},
            timeout=30,
        )
        assert answer.ok, answer.text


_WEIGHTS = {"kill web at a 200": 1.0}
_SMALL = Plan(deliveries=300, kills=2, seconds=150.0, weights=_WEIGHTS, rate=80.0, pace=0.5, rest=20.0)
# 300 deliveries may all be answered and written before a busy machine comes to its first kill.
_STEADY = replace(_SMALL, deliveries=10_000, rate=30.0, meanwhile=True)

CONTROLS = (
    Control("acknowledging first", "acknowledge_first", "I1", _STEADY),
    Control("no unique key", "no_unique_key", "I1", replace(_SMALL, kills=1), _drop_key),
    Control(
        "retry all",
        "retry_all",
        "I5",
        replace(_SMALL, deliveries=300, pace=0.05, kills=4, weights={"kill web": 1.0}, rate=20.0),
    ),
    Control("synchronous=OFF", "no_sync", "I1", replace(_STEADY, weights={"power cut": 1.0}), shim=True),
    Control(
        "synchronous=FULL", "", "", replace(_SMALL, weights={"power cut": 1.0}, rest=REST_SECONDS), shim=True
    ),
)
CHEAP = ("acknowledging first", "no unique key")


def run(control: Control, furnished: Desk, folder: Path, seed: int, zips: dict[str, Path]) -> Outcome | None:
    """Play *control* on a copy of the desk *furnished*; None where it cannot be played on this machine."""
    with own_sandbox(folder) as sandbox:
        desk = furnished.copy(
            folder,
            sandbox=sandbox,
            to_provider=None,
            settings={**furnished.settings, "TORTURE_MUTANT": control.mutant},
        )
        if control.shim:
            shim = powerloss.build(folder / "shim")
            if shim is None:
                return None
            desk.preloaded = powerloss.settings(shim, desk.data, folder / "unsynced")
        try:
            _subscribe(sandbox)
            control.before(desk)
            return play(desk, control.name, control.plan, seed, zips)
        finally:
            desk.close()


def verdict(control: Control, outcome: Outcome) -> str:
    """Return what is wrong with what came of *control*; empty: it went as it has to."""
    broken = outcome.found.broken
    if control.breaks:
        return (
            "" if broken[control.breaks] else f"{control.name}: {control.breaks} held, so nothing is proved"
        )
    red = [f"{name}: {said[0]}" for name, said in broken.items() if said]
    return f"{control.name}: {red[0]}" if red else ""
