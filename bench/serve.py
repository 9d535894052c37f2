"""``python -m bench.serve``: `lobby run`, plus a route that does nothing, and what the figures compare with.

``BENCH_BATCH`` is how many deliveries share a commit; ``BENCH_SYNCHRONOUS=NORMAL`` has SQLite answer before
the disk has synced. Production has no such switches: only this program, which is no part of it.
"""

from __future__ import annotations

import os
from typing import Any

from flask import Blueprint
from sqlalchemy import event

from host.core import config, db, logs, secrets
from host.events.writing import show
from host.features import registry
from host.features.feature import Feature
from host.process import features
from host.process.server import serve
from host.queue import journal

bp = Blueprint("bench", __name__)


@bp.get("/bench/nothing")
def nothing() -> str:
    """Answer: what the same app takes for the least it can do."""
    return "EVENT_RECEIVED"


@bp.get("/bench/say/<int:workspace_id>")
def say(workspace_id: int) -> str:
    """Tell everybody who watches a workspace something."""
    db.write(show, workspace_id, "conversation", conversation_id=1234567890)
    return "said"


def compare() -> None:
    """Make this process what a figure compares with."""
    registry.use([*features.BUILT_IN, Feature("bench", blueprints=("serve:bp",))])
    journal.BATCH = int(os.environ.get("BENCH_BATCH", journal.BATCH))
    level = os.environ.get("BENCH_SYNCHRONOUS")
    if level is None:
        return
    assert level in {"NORMAL", "FULL"}, level
    engine_of = db._sqlite_engine

    def other(*args: Any, **kwargs: Any) -> Any:
        engine = engine_of(*args, **kwargs)

        @event.listens_for(engine, "connect")
        def _connect(connection: Any, _record: object) -> None:
            connection.execute(f"PRAGMA synchronous={level}")

        return engine

    db._sqlite_engine = other


def main() -> None:
    compare()
    settings = config.load()
    logs.set_up(settings.log_level)
    secrets.use(secrets.load_keyring(settings))
    secrets.load_session_key(settings)
    db.connect(settings.database_url)
    serve(settings)


if __name__ == "__main__":
    main()
