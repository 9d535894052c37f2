"""Do what is due in several threads at once, as several workers do."""

from __future__ import annotations

import threading
from typing import Any

from host.automation import running


def run_side_by_side(directory: Any, number: int) -> None:
    """Do all that is due in *number* threads.

    :raises AssertionError: if one of them failed.
    """
    troubles: list[BaseException] = []
    start = threading.Barrier(number)

    def work() -> None:
        try:
            start.wait()
            while running.run_due(directory):
                pass
        except BaseException as error:  # noqa: BLE001 - told by the thread that waits
            troubles.append(error)

    threads = [threading.Thread(target=work) for _ in range(number)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert not troubles
