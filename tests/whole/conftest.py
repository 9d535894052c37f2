from __future__ import annotations

from pathlib import Path

import pytest

from demo.processes import CHECKOUT
from host.addons.package.build import build_release


@pytest.fixture(scope="session")
def addon_zip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The zip of the addon as the tree has it now."""
    path, _ = build_release(CHECKOUT / "addons" / "instagram", tmp_path_factory.mktemp("dist"))
    return path
