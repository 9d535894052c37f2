"""A worker process that never looks by itself: it does what the broker tells it, or what its parent does.

``python -m tests.delivery.listener URL BROKER FOLDER``; says ``ready``, and looks once per line it reads.
"""

from __future__ import annotations

import sys
from pathlib import Path

from host import counters
from host.core import db, logs, secrets, storage
from host.delivery.worker import Workers
from host.process import features as _features  # noqa: F401 - says which there are
from host.queue import announcing, policy, wakeups
from tests.delivery.desk import ToyAdapter, ToyDirectory, ToyGeneration


def main() -> None:
    url, broker, folder = sys.argv[1:]
    policy.SWEEP_SECONDS = 3600
    logs.set_up("INFO")
    db.connect(url, pool_size=16)
    counters.reset()
    secrets.use(secrets.Keyring({"k1": bytes(range(32))}))
    storage.use(storage.FolderStore(Path(folder)))
    generation = ToyGeneration(ToyDirectory({"email": ToyAdapter()}))
    workers = Workers(lambda: generation, 2, 2)
    announcer = announcing.Announcer(lambda: announcing.connect(broker), workers.directions)
    wakeups.listen(lambda direction: print(f"woken {direction}", flush=True))
    workers.start()
    announcer.start()
    print("ready", flush=True)
    for _line in sys.stdin:
        workers.wake_due()
    announcer.stop()
    workers.stop()
    print("done", flush=True)


if __name__ == "__main__":
    main()
