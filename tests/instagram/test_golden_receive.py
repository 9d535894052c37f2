"""One golden file per kind of event: Meta's webhooks in; changes, rows, what is seen, the API's answer out.

``REWRITE_GOLDEN=1`` writes down what happens now; read the difference before it is committed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from host.core import clock, storage
from host.sdk.channel import AccountRef
from tests.instagram import golden_receive, receiving
from tests.instagram.golden_receive import Stage, envelopes_of
from tests.instagram.receiving import KINDS, Kind
from tests.instagram.world import Addon

FOLDER = Path(__file__).parent / "golden" / "receive"
REWRITE = bool(os.environ.get("REWRITE_GOLDEN"))


def read(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return found


@pytest.fixture
def stage(ig: Addon, account: AccountRef, data: Path) -> Iterator[Stage]:
    storage.use(storage.FolderStore(data / "attachments"))
    with clock.travel(golden_receive.moment()):
        found = golden_receive.set_stage(ig, account, data)
        yield found
        found.journal.stop()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_what_comes_of_it_is_exactly_this(stage: Stage, kind: Kind) -> None:
    now = golden_receive.play(stage, kind)
    if REWRITE:
        FOLDER.mkdir(parents=True, exist_ok=True)
        text = json.dumps(now, indent=2, ensure_ascii=False) + "\n"
        (FOLDER / f"{kind.name}.json").write_text(text, encoding="utf-8")
    assert now == read(kind.name)
    assert not any("{" in entry for entry in now["seen"]), "an agent sees no raw data"


@pytest.mark.parametrize("kind", [one for one in KINDS if not one.ordered], ids=lambda kind: kind.name)
def test_told_twice_and_backwards_it_comes_to_the_same(stage: Stage, kind: Kind) -> None:
    bodies = envelopes_of(kind)
    stage.deliver([*reversed(bodies), *bodies])
    wanted = read(kind.name)["stored"]
    found = stage.stored()
    wanted.pop("inbound_events")
    states = {event.get("state") for event in found.pop("inbound_events")}
    assert found == wanted
    assert states <= {"applied", "ignored"}


def test_every_file_is_of_a_kind_that_is_declared() -> None:
    assert {path.stem for path in FOLDER.glob("*.json")} == set(receiving.BY_NAME)
