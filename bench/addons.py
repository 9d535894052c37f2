"""Cost of further active addons: the same desk with the shop, the survey and WhatsApp, and without.

``python -m bench.addons DATA WORKSPACE``: activate them on the desk in that folder, filled in as their owners
would.
"""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from sqlalchemy.orm import Session

from bench.load import Result
from bench.pages import FEW, ask, filled
from bench.plan import Figure, Plan, medians
from bench.processes import cpu_seconds, family
from bench.processing import applied
from bench.saturation import saturate_served
from bench.servers import Desk, Served, product
from demo.processes import clean_environment
from host import counters
from host.addons import lifecycle, setting_forms
from host.addons.package.build import build_release
from host.addons.package.manifest import read_manifest
from host.core import clock, config, db, secrets
from host.sdk._forms.fields import Form
from host.sdk.secrets import Secret
from host.users.actor import DESK, DeskWork

T = TypeVar("T")
FOLDER = Path(__file__).resolve().parent.parent / "addons"
VALUES: Mapping[str, Mapping[str, str | bool | Secret]] = {
    "shop": {"url": "https://shop.example", "key": "ck_1", "secret": Secret("cs_1")},
    "satisfaction": {"enabled": True},
    "whatsapp": {},
}
"""The settings of each addon in the workspace."""
LEAST = 0.95
MOST = 1.05
MOST_PROCESSOR = 1.03
SLICES = 6


class Speed(NamedTuple):
    """The speed of a round: the number a second, and the microseconds of processor of each."""

    rate: float
    cpu_us: float


def addons(plan: Plan) -> list[Figure]:
    """Measure receiving, applying, the inbox and a thread, with the addons and without in turn."""
    both = with_addons(plan.desk, plan.folder / "with-addons")
    try:
        return [*_receiving(plan, both), *_applying(plan, both), *_pages(plan, both)]
    finally:
        shutil.rmtree(both.data)


def with_addons(desk: Desk, data: Path) -> Desk:
    """Return a copy of *desk* in *data* on which the addons are active."""
    shutil.copytree(desk.data, data)
    command = desk.tree.command("bench.addons", str(data), str(desk.workspace))
    subprocess.run(
        command, cwd=desk.tree.root, check=True, capture_output=True, text=True, env=clean_environment()
    )
    return replace(desk, data=data)


def activate(data: Path, workspace: int) -> None:
    """Activate the addons on the desk in *data*, and fill in their settings for *workspace*."""
    settings = config.load({"LOBBY_DATA": str(data), "LOBBY_WORKERS": "0"})
    secrets.use(secrets.load_keyring(settings))
    db.connect(settings.database_url)
    counters.reset()
    for slug, values in VALUES.items():
        with tempfile.TemporaryDirectory() as folder:
            built, _ = build_release(FOLDER / slug, Path(folder))
            lifecycle.install_file(settings, built)
        outcome = lifecycle.activate(settings, slug)
        assert outcome.ok, outcome.error
        form = read_manifest(FOLDER / slug).forms.workspace
        if not form:
            continue
        db.write(_fill_in, slug, workspace, form, {name: values.get(name) for name in form})


def _fill_in(session: Session, slug: str, workspace: int, form: Form, values: Mapping[str, Any]) -> None:
    setting_forms.save(DeskWork(session, DESK, clock.now()), slug, workspace, form, values)


def _in_turn(plan: Plan, active: T, bare: T, measure: Callable[[T], Speed]) -> list[tuple[Speed, Speed]]:
    """Measure with the addons and without in short slices, so that what else the machine does hits both."""
    rounds = []
    for _ in range(plan.rounds):
        found: tuple[list[Speed], list[Speed]] = [], []
        for number in range(SLICES):
            for place in (0, 1) if number % 2 else (1, 0):
                found[place].append(measure((active, bare)[place]))
        rounds.append((_mean(found[0]), _mean(found[1])))
    return rounds


def _mean(slices: Sequence[Speed]) -> Speed:
    return Speed(*(statistics.fmean(values) for values in zip(*slices, strict=True)))


def _receiving(plan: Plan, both: Desk) -> list[Figure]:
    seconds = plan.seconds / 2

    def measure(served: Served) -> Speed:
        cpu = cpu_seconds(family(served.pid))
        rate = saturate_served(served, seconds).rate
        cpu = cpu_seconds(family(served.pid)) - cpu
        return Speed(rate, cpu / (rate * seconds) * 1e6)

    with (
        product(both, plan.folder, workers=0) as active,
        product(plan.desk, plan.folder, workers=0) as bare,
    ):
        return _figures("F1", "deliveries", _in_turn(plan, active, bare, measure))


def _applying(plan: Plan, both: Desk) -> list[Figure]:
    events = 1_000 if plan.quick else 4_000

    def measure(desk: Desk) -> Speed:
        found = applied(desk, plan.folder, events)
        return Speed(events / found["seconds"], found["cpu"] / events * 1e6)

    return _figures("F8", "events", _in_turn(plan, both, plan.desk, measure))


def _figures(name: str, what: str, rounds: Sequence[tuple[Speed, Speed]]) -> list[Figure]:
    """Return the rate, and the processor time, which other guests of the machine take less part in."""
    with_them = "with shop, satisfaction and WhatsApp active ÷ without"
    rates = [(one.rate, other.rate) for one, other in rounds]
    cpu = [(one.cpu_us, other.cpu_us) for one, other in rounds]
    (active, bare), (active_us, bare_us) = medians(rates), medians(cpu)
    return [
        Figure(
            f"addons {name}",
            f"the {what}/s of {name} {with_them}",
            tuple(one / other for one, other in rates),
            LEAST,
            True,
            f"{active:,.0f}/s ÷ {bare:,.0f}/s",
            {"with_per_second": active, "without_per_second": bare},
        ),
        Figure(
            f"addons {name} processor",
            f"processor time of one of the {what} of {name} {with_them}",
            tuple(one / other for one, other in cpu),
            MOST_PROCESSOR,
            False,
            f"{active_us:,.0f} µs ÷ {bare_us:,.0f} µs",
            {"with_us": active_us, "without_us": bare_us},
        ),
    ]


def _pages(plan: Plan, both: Desk) -> list[Figure]:
    active = filled(both, plan.folder / "active", FEW)
    bare = filled(plan.desk, plan.folder / "bare", FEW)
    try:
        with (
            product(active, plan.folder, workers=0) as its,
            product(bare, plan.folder, workers=0) as other,
        ):
            return [_page(plan, name, its, other) for name in ("inbox", "thread")]
    finally:
        shutil.rmtree(active.data)
        shutil.rmtree(bare.data)


def _page(plan: Plan, name: str, its: Served, other: Served) -> Figure:
    path = f"/w/{plan.desk.workspace}/inbox{'/1' if name == 'thread' else ''}"
    cookie = plan.desk.cookies[0]
    for served in (its, other):
        ask(served, cookie, lambda _number: path, 20)
    asked = 100 if plan.quick else 300
    rounds = []
    for _ in range(plan.rounds):
        active, bare = Result(1.0), Result(1.0)
        for _ in range(asked // 10):  # in turn, so that whatever else the machine does hits both
            active.latencies += ask(its, cookie, lambda _number: path, 10)
            bare.latencies += ask(other, cookie, lambda _number: path, 10)
        rounds.append((active.percentile(0.5), bare.percentile(0.5)))
    return _slower(name, rounds)


def _slower(name: str, rounds: Sequence[tuple[float, float]]) -> Figure:
    active, bare = medians(rounds)
    return Figure(
        f"addons {name}",
        "p50 of the page with shop, satisfaction and WhatsApp active ÷ without, over HTTP",
        tuple(one / other for one, other in rounds),
        MOST,
        False,
        f"{active:.1f} ms ÷ {bare:.1f} ms",
        {"with_p50_ms": active, "without_p50_ms": bare},
    )


if __name__ == "__main__":
    activate(Path(sys.argv[1]), int(sys.argv[2]))
