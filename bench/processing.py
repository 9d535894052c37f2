"""Applying: how fast received events become conversations, messages and news for browsers."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from typing import Any

from bench import helpdesk
from bench.plan import Figure, Plan, SkippedError, medians
from bench.servers import THIS, Desk, Tree, settings_for, to_first_core
from demo.processes import clean_environment


@dataclass(frozen=True, slots=True)
class Round:
    """Results of one round; rates in events or follow-ups a second.

    :param api: of the peer, over HTTP; 0 where there is none.
    :param loop: of the peer, without HTTP.
    """

    product: float
    floor: float
    cpu_us: float
    bytes_each: float
    api: float = 0.0
    loop: float = 0.0
    loop_us: float = 0.0


def f8(plan: Plan) -> list[Figure]:
    """Measure applying events against a loop that writes the same few rows, and against a whole helpdesk."""
    peer = _peer(plan)
    return figures([_round(plan, peer) for _ in range(plan.rounds)])


def _peer(plan: Plan) -> helpdesk.Helpdesk | None:
    key = f"F8 {helpdesk.NAME}"
    if plan.quick:
        plan.skip(key, "a quick round is without it")
        return None
    try:
        return helpdesk.prepared(plan.folder)
    except SkippedError as error:
        plan.skip(key, str(error))
        return None


def _round(plan: Plan, peer: helpdesk.Helpdesk | None) -> Round:
    events = 4_000 if plan.quick else 20_000
    least, whole = floor(plan.folder, events), applied(plan.desk, plan.folder, events)
    found = Round(
        events / whole["seconds"],
        events / least["seconds"],
        whole["cpu"] / events * 1e6,
        whole["bytes_each"],
    )
    if peer is None:
        return found
    api, loop = peer.over_http(plan.seconds), peer.in_a_loop(plan.seconds)
    return replace(found, api=api.rate, loop=loop["rate"], loop_us=loop["cpu_us"])


def figures(rounds: Sequence[Round]) -> list[Figure]:
    """Return the lines of *rounds*; those of the peer only where it was there."""
    product, base, cpu, held, api, loop, loop_us = medians([astuple(one) for one in rounds])
    found = [
        Figure(
            "F8",
            "events/s to conversation, message and live event ÷ raw sqlite3 loop of 32 a commit",
            tuple(one.product / one.floor for one in rounds),
            0.35,
            True,
            f"{product:,.0f}/s of {base:,.0f}/s; {cpu:,.0f} µs of processor, "
            f"{held / 1000:.1f} KB stored each",
            {
                "events_per_second": product,
                "floor_per_second": base,
                "cpu_us_per_event": cpu,
                "bytes_per_event": held,
            },
        )
    ]
    if not api:
        return found
    return [
        *found,
        Figure(
            f"F8 {helpdesk.NAME}",
            f"the same events/s ÷ follow-ups/s of {helpdesk.NAME} {helpdesk.VERSION}'s API",
            tuple(one.product / one.api for one in rounds),
            25,
            True,
            f"{product:,.0f}/s ÷ {api:,.0f}/s; theirs over HTTP with a token, on gunicorn, "
            f"{helpdesk.CONNECTIONS} at a time, ours from the journal",
            {"per_second": product, "peer_per_second": api},
        ),
        Figure(
            f"F8 {helpdesk.NAME}, loop",
            f"the same events/s ÷ calls/s of {helpdesk.NAME}'s update_ticket",
            tuple(one.product / one.loop for one in rounds),
            None,
            True,
            f"{product:,.0f}/s ÷ {loop:,.0f}/s; neither over HTTP; {loop_us:,.0f} µs of processor each",
            {"per_second": product, "peer_per_second": loop, "peer_cpu_us": loop_us},
        ),
    ]


def floor(folder: Path, events: int) -> dict[str, float]:
    """Run the floor of applying; return the seconds it took, and those of the processor."""
    file = folder / "processing.sqlite3"
    try:
        return run(["bench.floors.processing", str(file), str(events)], clean_environment())
    finally:
        for one in folder.glob(f"{file.name}*"):
            one.unlink()


def applied(desk: Desk, folder: Path, events: int, *, rules: int = 0) -> dict[str, float]:
    """Have a copy of *desk* apply that many events; return the seconds, and those of the processor.

    :param rules: how many its workspace asks for each.
    """
    data = folder / "applied"
    shutil.copytree(desk.data, data)
    try:
        asked = [str(events), *([str(rules)] if rules else [])]
        return run(["bench.apply", *asked], settings_for(desk, data, workers=4), tree=desk.tree)
    finally:
        shutil.rmtree(data, ignore_errors=True)


def run(module: list[str], settings: dict[str, str], *, tree: Tree = THIS) -> dict[str, Any]:
    """Run a program of the bench on the first core; return the JSON it ends with."""
    with to_first_core():
        process = subprocess.Popen(
            tree.command(*module),
            cwd=tree.root,
            env=settings,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
    # A line of the log for each event: to be read where something went wrong, and not else.
    output, said = process.communicate()
    if process.returncode:
        raise RuntimeError(f"{module[0]} ended with {process.returncode}: {said[-4000:]}")
    found: dict[str, Any] = json.loads(output.splitlines()[-1])
    return found
