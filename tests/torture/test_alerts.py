"""Each fault of the torture sets its alert off until it is over, or heals before anybody is called."""

from __future__ import annotations

import argparse
import os
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from demo.processes import CHECKOUT, free_port
from tests.conftest import missing
from tests.torture import alerts, lanes
from tests.torture.__main__ import plans
from tests.torture.alerts import ALERTS, Prometheus
from tests.torture.desk import Desk
from tests.torture.nemesis import Nemesis
from tests.torture.people import People
from tests.torture.provider import Ledger, Provider
from tests.whole.rig import until
from tests.whole.shops import CAFE, POTTERY, STUDIO, point_webhooks

TOKEN = "metrics-of-the-torture"
FIRING = 150.0
"""Seconds within which an alert has to fire, and to end; an hour takes a minute here."""
HEALED = 110.0
"""Less than the two minutes after which a process that does not answer calls somebody."""
SMALL = 16 * 1024**2
"""What is little room on a disk of 160 MB."""

SAME = {
    "kill web at a 200": "kill web",
    "kill web while starting": "kill web",
    "kill second web": "kill web",
    "kill at a chore": "kill web",
    "kill everything": "kill web",
    "power cut": "kill web",
    "clocks apart": "clock of web",
    "commit cut after": "commit cut before",
    "database refused": "kill database",
}
"""Faults that look the same from outside as another one, which is played."""
PLAYED = {
    "sqlite": ("kill web", "statement fails", "disk full"),
    "postgresql, processes": (
        "restart", "rolling restart", "addon updated", "slow connections", "worker asleep", "kill web",
        "stop web", "kill worker", "stop worker", "clock of web", "clock of worker", "kill broker",
        "worker frozen", "row held",
    ),
    "postgresql, lines": (
        "provider slow", "provider failing", "provider refused", "provider reset", "provider stalled",
        "database slow", "kill database", "stop database", "database stalled", "database reset",
        "commit cut before",
    ),
}  # fmt: skip
"""What is played on which desk: what heals first, because rules look back on what was before."""

MOST = 2
"""As many faults of a desk as three minutes allow. ``ALERT_FAULTS=all`` plays each, ``=7`` takes others."""


def chosen(desk: str) -> list[str]:
    """Return the faults to play on *desk*, in their order."""
    kinds, seed = PLAYED[desk], os.environ.get("ALERT_FAULTS") or "3"
    taken = kinds if seed == "all" else random.Random(seed).sample(kinds, min(MOST, len(kinds)))
    return [kind for kind in kinds if kind in taken]


@dataclass
class Held(Nemesis):
    """Lets a fault last until what it waits for has happened."""

    hold: Callable[[], None] | None = None

    def _last(self, least: float, most: float) -> None:
        if self.hold is None:
            super()._last(least, most)
        else:
            self.hold()


@dataclass
class Watch:
    """A desk with traffic, a Prometheus that watches it, and what causes the faults."""

    desk: Desk
    prometheus: Prometheus
    nemesis: Held

    def play(self, kind: str) -> list[str]:
        """Play *kind*; return what was wrong about its alert."""
        alert, _when = ALERTS[kind]
        try:
            self._sets_off(kind, alert) if alert else self._heals(kind)
        except AssertionError as error:
            self.desk.start()
            return [f"{kind}: {error}"]
        return []

    def _sets_off(self, kind: str, alert: str) -> None:
        fired = False

        def fires() -> None:
            nonlocal fired
            until(lambda: self.prometheus.fires(alert), f"{alert} firing", FIRING)
            fired = True

        self._ends(alert)
        self.nemesis.hold = fires
        self.nemesis.cause(kind)
        if not fired:
            fires()
        self.desk.start()
        self._ends(alert)

    def _ends(self, alert: str) -> None:
        until(lambda: alert not in self.prometheus.active(), f"the end of {alert}", FIRING)

    def _heals(self, kind: str) -> None:
        """Nobody does anything, and before a rule could have called somebody none holds any more."""
        before = set(self.prometheus.active(pace=""))
        self.nemesis.hold = None
        self.nemesis.cause(kind)
        self.desk.start()
        until(lambda: not self._holding() - before, "all rules being at rest", HEALED)

    def _holding(self) -> set[str]:
        """Return the rules that hold now; of those that look back, the ones that fire."""
        looking_back = {one["alert"] for one in alerts.rules() if alerts.looks_back(one)}
        active = self.prometheus.active(pace="").items()
        return {alert for alert, state in active if state == "firing" or alert not in looking_back}


@contextmanager
def watched(kind: str, folder: Path, *, disk: bool = False) -> Iterator[Watch]:
    zips = lanes.releases(folder / "zips")
    with lanes.furnished(kind, folder / kind, zips, disk=disk) as desk:
        desk.faulty = True
        desk.settings["TORTURE_WATCHED"] = "1"
        desk.settings["LOBBY_METRICS_TOKEN"] = TOKEN
        ports = [desk.port]
        if desk.workers:
            desk.worker_port, desk.second_port = free_port(), free_port()
            ports += [desk.worker_port, desk.second_port]
        desk.start()
        point_webhooks(desk)
        people = People(desk, 1, desk.homes, 0.4)
        ledger = Ledger(desk.folder / "provider.jsonl")
        customers = people.prepare()
        provider = Provider(
            desk.webhooks, (POTTERY, STUDIO, CAFE), customers, ledger, 1, rate=4.0, calm=lambda: False
        )
        nemesis = Held(desk, provider, 1, zips)
        provider.begin()
        people.begin()
        with alerts.watching(folder / "prometheus", ports, TOKEN, disk=SMALL) as prometheus:
            try:
                yield Watch(desk, prometheus, nemesis)
            finally:
                people.end()
                provider.hush()
                provider.end()
                ledger.close()


def test_each_fault_of_the_torture_has_its_alert_or_needs_none() -> None:
    played = plans(argparse.Namespace(quick=False, seconds=None, deliveries=None, calm=False))
    kinds = {kind for plan in played.values() for kind in plan.weights}
    assert kinds | {"power cut"} == set(ALERTS)
    assert {alert for alert, _when in ALERTS.values() if alert} <= {one["alert"] for one in alerts.rules()}


def test_the_page_lists_what_each_fault_sets_off() -> None:
    text = (CHECKOUT / "docs" / "torture.md").read_text()
    assert text.partition("<!-- alerts -->")[2].partition("<!-- /alerts -->")[0].strip() == alerts.table()


def test_only_the_times_of_a_rule_are_quicker() -> None:
    rule = {
        "expr": 'max (increase(a_total[10m])) > 3 and (b_age_seconds{c="d"}) > 60 or max (rate(e[1h])) > 2',
        "for": "5m",
        "labels": {},
    }
    made = alerts.quicker(rule)
    assert made["expr"] == (
        'max (increase(a_total[10000ms])) > 0.05 and (b_age_seconds{c="d"}) > 1 or max (rate(e[60000ms])) > 2'
    )
    assert (made["for"], made["labels"]) == ("5000ms", {"pace": alerts.QUICK})
    assert (
        alerts.quicker({"expr": "min_over_time(a[1m]) < 1", "labels": {}})["expr"]
        == "min_over_time(a[3000ms]) < 1"
    )
    least = f"lobby_disk_free_bytes < {1024**3}"
    assert alerts.quicker({"expr": least, "labels": {}}, disk=7)["expr"] == "lobby_disk_free_bytes < 7"
    assert least in {one["expr"] for one in alerts.rules()}


def test_every_fault_is_played_or_looks_like_one_that_is() -> None:
    played = {kind for kinds in PLAYED.values() for kind in kinds}
    assert played | set(SAME) == set(ALERTS)
    assert {one: ALERTS[one][0] for one in SAME} == {one: ALERTS[like][0] for one, like in SAME.items()}
    assert set(SAME.values()) <= played


@pytest.mark.slow
@pytest.mark.services
@pytest.mark.parametrize("desk", PLAYED)
def test_what_a_fault_sets_off(desk: str, tmp_path: Path) -> None:
    if alerts.program() is None:
        missing("Prometheus")
    disk = desk == "sqlite" and os.geteuid() == 0
    with watched(desk.partition(",")[0], tmp_path, disk=disk) as watch:
        wrong = []
        for kind in chosen(desk):
            if kind != "disk full" or disk:
                wrong += watch.play(kind)
        assert wrong + watch.nemesis.trouble == []
