"""Old and new processes on one database under load: each works with what the other wrote.

The old release is this checkout's own of some migrations ago, not this tree with another number.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest

from demo.processes import CHECKOUT, free_port
from tests.upgrade.beside import (
    People,
    Process,
    nothing_is_dead,
    release_before,
    stay_signed_in,
    stopping,
    subscribe,
)
from tests.upgrade.loading import loaded

pytestmark = [pytest.mark.slow, pytest.mark.services]


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
def test_each_goes_on_beside_the_other(kind: str, tmp_path: Path) -> None:
    tree = release_before(tmp_path / "before")
    with ExitStack() as stack:
        old = stack.enter_context(loaded("house", kind, tmp_path / "desk", then=False))
        alone = {"LOBBY_WORKERS": "0"}
        old_web, new_web = (
            Process(old.rig, folder, free_port(), settings=alone) for folder in (tree, CHECKOUT)
        )
        old_worker, new_worker = (Process(old.rig, folder) for folder in (tree, CHECKOUT))
        everyone = old_web, new_web, old_worker, new_worker
        stopping(stack, *everyone)
        migrated = old_worker.lobby("migrate", "--no-backup")
        assert migrated.returncode == 0, migrated.stderr
        stay_signed_in(old)
        old_web.start()
        old_worker.start()
        subscribe(old)
        old_web.receive_webhooks()
        people = stack.enter_context(People(old))
        people.webs.append(old_web)
        people.go_on()

        migrated = new_worker.lobby("migrate", "--no-backup")
        assert migrated.returncode == 0, migrated.stdout + migrated.stderr
        people.go_on()
        new_worker.start()
        people.go_on()
        old_worker.stop()
        people.go_on()  # an old web process, a new worker
        new_web.start()
        people.webs.append(new_web)
        new_web.receive_webhooks()
        old_worker.start()
        people.go_on()  # all four
        people.webs.remove(old_web)
        old_web.stop()
        new_worker.stop()
        people.go_on()  # a new web process, an old worker
        new_worker.start()
        old_worker.stop()
        people.go_on()
        people.__exit__()
        people.nothing_is_lost()
        nothing_is_dead(old, everyone)
        assert new_web.get("/admin/health", Cookie=old.notes["cookie"]).status_code == 200
