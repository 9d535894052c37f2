"""Cost of further active addons: the same desk with the shop, the survey and WhatsApp, and without.

``python -m bench.addons DATA WORKSPACE``: activate them on the desk in that folder, filled in as their owners
would.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from bench.load import Result
from bench.pages import FEW, ask, filled
from bench.plan import Figure, Plan, medians
from bench.processing import applied
from bench.servers import Desk, Served, product
from demo.processes import clean_environment
from host import counters
from host.addons import lifecycle, setting_forms
from host.addons.package.build import build_release
from host.addons.package.manifest import read_manifest
from host.core import config, db, secrets
from host.sdk.secrets import Secret

FOLDER = Path(__file__).resolve().parent.parent / "addons"
VALUES: Mapping[str, Mapping[str, str | bool | Secret]] = {
    "shop": {"url": "https://shop.example", "key": "ck_1", "secret": Secret("cs_1")},
    "satisfaction": {"enabled": True},
    "whatsapp": {},
}
"""The settings of each addon in the workspace."""
LEAST = 0.95
MOST = 1.05


def addons(plan: Plan) -> list[Figure]:
    """Measure applying, and the inbox and a thread, with the addons and without in turn."""
    both = with_addons(plan.desk, plan.folder / "with-addons")
    try:
        return [_applying(plan, both), *_pages(plan, both)]
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
        db.write(setting_forms.save, slug, workspace, form, {name: values.get(name) for name in form})


def _applying(plan: Plan, both: Desk) -> Figure:
    events = 4_000 if plan.quick else 20_000
    rounds = []
    for number in range(plan.rounds):
        desks = (plan.desk, both) if number % 2 else (both, plan.desk)
        took = {desk.data: applied(desk, plan.folder, events) for desk in desks}
        rounds.append((took[both.data], took[plan.desk.data]))
    rates = [(events / one["seconds"], events / other["seconds"]) for one, other in rounds]
    cpu = [(one["cpu"] / events * 1e6, other["cpu"] / events * 1e6) for one, other in rounds]
    (active, bare), (active_us, bare_us) = medians(rates), medians(cpu)
    return Figure(
        "addons F8",
        "the events/s of F8 with shop, satisfaction and WhatsApp active ÷ without",
        tuple(one / other for one, other in rates),
        LEAST,
        True,
        f"{active:,.0f}/s ÷ {bare:,.0f}/s; {active_us:,.0f} and {bare_us:,.0f} µs of processor",
        {"with_per_second": active, "without_per_second": bare},
    )


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
