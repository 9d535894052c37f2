"""A desk with the addon on it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from host.authoring.desk import TrialDesk, trial_desk


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TrialDesk]:
    folder = Path(__file__).resolve().parent.parent
    with trial_desk(folder, tmp_path_factory.mktemp("desk")) as made:
        yield made
