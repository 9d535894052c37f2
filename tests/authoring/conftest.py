"""A new addon to spoil."""

from __future__ import annotations

from pathlib import Path

import pytest

from host.authoring import scaffold


@pytest.fixture
def heron(tmp_path: Path) -> Path:
    """The folder of an addon as `lobby addon new heron` writes it."""
    scaffold.create("heron", tmp_path / "heron")
    return tmp_path / "heron"
