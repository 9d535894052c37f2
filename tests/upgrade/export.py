"""Write a stopped desk of an earlier Lobby to a file: every row, file and key it has."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from host.backup import making
from host.core import config, db, secrets
from tests.upgrade.record import PASSPHRASE


def main() -> None:
    data, target = Path(sys.argv[1]), Path(sys.argv[2])
    settings = config.load({"LOBBY_DATA": str(data)})
    db.connect(settings.database_url)
    secrets.use(secrets.load_keyring(settings))
    making.PASSING = frozenset()  # who is signed in, and what ran, too
    target.parent.mkdir(exist_ok=True)
    target.unlink(missing_ok=True)
    contents = making.make(settings, target, passphrase=PASSPHRASE, tell=print)
    shutil.copy(data / "notes.json", target.with_suffix(".json"))
    print(contents.revisions, contents.tables, contents.spooled, target.stat().st_size)


if __name__ == "__main__":
    main()
