"""Short forms of the torture for the longer loop, each in a file of its own: its tenths are of files."""

from __future__ import annotations

from pathlib import Path

from tests.torture import isolation, lanes, outages, stages


def two_outages(kind: str, way: str, folder: Path) -> None:
    """Take the database away twice: nothing is lost or doubled, and every customer stays in order."""
    zips = lanes.releases(folder / "zips")
    disk = way == "disk"
    with lanes.furnished(kind, folder / "desk", zips, disk=disk) as desk:
        outcome = outages.play(desk, f"{kind}, {way}", 2, seed=7, way=way, webs=1 if disk else 2)
        output = desk.output
    assert not outcome.found.red, (outcome.found.broken, output[-4000:])
    assert outcome.events > 50


def others_wait_not(server: str, fault: str, folder: Path) -> None:
    """Play *fault* of a provider shortly: nobody else waits for it, and nothing is lost."""
    zips = lanes.releases(folder / "zips")
    with lanes.furnished(server, folder / "desk", zips) as desk:
        stage = stages.stage_of([fault], short=True)
        outcome = isolation.play(desk, f"{server}, {fault}", [fault], seed=7, short=True, stage=stage)
        output = desk.output
    assert not outcome.found.red, (outcome.found.broken, outcome.notes, output[-4000:])
    assert outcome.events > 50
