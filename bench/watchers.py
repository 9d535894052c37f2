"""``python -m bench.watchers DATA PEOPLE``: add a workspace full of signed-in people to a prepared desk.

Prints one line of JSON: the workspace's id and the people's cookies.
"""

from __future__ import annotations

import json
import sys

from bench import prepare
from host import counters
from host.core import config, db, secrets
from host.users import passwords, workspaces

FIRST = 100_000
"""Their numbers begin here, apart from those of the people the desk was prepared with."""


def main() -> None:
    settings = config.load({"LOBBY_DATA": sys.argv[1], "LOBBY_WORKERS": "0"})
    secrets.use(secrets.load_keyring(settings))
    db.connect(settings.database_url)
    counters.reset()
    workspace = db.write(lambda session: workspaces.create(session, "Watching", None).id)
    prepare.known.append(passwords.hashed("correct horse battery"))
    cookies = [prepare.cookie(settings, FIRST + number, workspace) for number in range(int(sys.argv[2]))]
    print(json.dumps({"workspace": workspace, "cookies": cookies}))


if __name__ == "__main__":
    main()
