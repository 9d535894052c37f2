"""``lobby`` with short patience, and with an addon that asks every second whether a restriction is over."""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import Any

import quick_desk  # noqa: F401 - sets short delays

from host.addons.running import loader
from host.cli.commands import main

_load = loader.load


def load(*arguments: Any) -> loader.LoadedRelease:
    release = _load(*arguments)
    restrictions = sys.modules.get(f"{release.module_name}.restrictions")
    if restrictions is None:
        return release  # another addon, such as e-mail
    restrictions.PROBES = (timedelta(seconds=1),)  # type: ignore[attr-defined]
    restrictions.AGAIN_SECONDS = 0.3  # type: ignore[attr-defined]
    restrictions.CLOCKS_DIFFER = timedelta()  # type: ignore[attr-defined]
    return release


loader.load = load  # type: ignore[assignment]

if __name__ == "__main__":
    main()
