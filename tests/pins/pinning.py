"""What the pins share: golden files of one fact a line, and a generation with everything that is shipped.

``REWRITE_GOLDEN=1 .venv/bin/python -m pytest tests/pins`` writes them as they are now.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from host.addons.package.manifest import Manifest, read_manifest
from host.addons.running import generation, loader
from host.addons.running.generation import Generation
from host.core.config import Config
from host.process.app import create_app

GOLDEN = Path(__file__).parent / "golden"
ADDONS = Path(__file__).parents[2] / "addons"
SHIPPED = ("email", "instagram", "telegram")
NO_ZIP = "0" * 64
"""The hash of a release that was loaded from its folder; of our own code, no test asks for it."""


def hold(name: str, lines: Iterable[str]) -> None:
    """Compare *lines* with the golden file *name*, word by word, in their order.

    :raises pytest.fail.Exception: with the lines that went and came.
    """
    path = GOLDEN / f"{name}.txt"
    now = [f"{line}\n" for line in lines]
    if os.environ.get("REWRITE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text("".join(now), encoding="utf-8")
    held = path.read_text(encoding="utf-8").splitlines(keepends=True)
    if held != now:
        found = difflib.unified_diff(held, now, f"tests/pins/golden/{path.name}", "now", n=0)
        pytest.fail(f"the product changed:\n{''.join(found)}", pytrace=False)


def changes(before: Iterable[str], after: Iterable[str]) -> list[str]:
    """Return the lines only one of the two has, ``-`` before those that went and ``+`` before the others."""
    found = difflib.unified_diff(list(before), list(after), n=0, lineterm="")
    return [line for line in found if line[:1] in "+-" and line[:3] not in {"+++", "---"}]


def shipped_generation(config: Config, host: Any = None, folders: Iterable[Path] = ()) -> Generation:
    """Return a generation with the addons that are shipped, and those in *folders*.

    Nothing is installed: each addon is loaded from its folder.

    :param host: what stands for the application of the process.
    """
    builder = generation._Builder(config)
    for folder in (*(ADDONS / slug for slug in SHIPPED), *folders):
        manifest = read_manifest(folder)
        builder._add(manifest, _loading(manifest, folder))
    found = builder.finish(0, generation.DesiredState(0, (), {}))
    assert not found.failures
    object.__setattr__(found, "app", create_app(config, found, host))
    return found


def _loading(manifest: Manifest, folder: Path) -> generation.Callable[[], loader.LoadedRelease]:
    return lambda: loader.load(manifest, folder, NO_ZIP, None)
