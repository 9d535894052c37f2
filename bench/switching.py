"""``python -m bench.switching TIMES``: switch the addon off and on again, as an admin does.

Prints a line for each activation: when it began and when it was done, by the clock all processes share.
"""

from __future__ import annotations

import sys
import time

from host import counters
from host.addons import lifecycle
from host.core import config, db, logs, secrets
from host.process.serving import HostApplication

SETTLE_SECONDS = 2.0


def main(times: int) -> None:
    settings = config.load()
    logs.set_up(settings.log_level)
    secrets.use(secrets.load_keyring(settings))
    db.connect(settings.database_url)
    counters.reset()
    HostApplication(settings)
    for _ in range(times):
        lifecycle.deactivate(settings, "instagram")
        time.sleep(SETTLE_SECONDS)
        began = time.monotonic()
        outcome = lifecycle.activate(settings, "instagram")
        assert outcome.ok, outcome.error
        print(f"SWITCHED {began!r} {time.monotonic()!r}", flush=True)
        time.sleep(SETTLE_SECONDS)


if __name__ == "__main__":
    main(int(sys.argv[1]))
