"""`lobby addon dev` keeps a running desk at what the folder holds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from host.authoring.development import Developing, changes
from host.cli.commands import main
from host.core import config, db
from host.models.addons import AddonRelease
from host.process.serving import HostApplication


@pytest.fixture
def desk(database: db.Database, data: Path) -> Iterator[HostApplication]:
    """A desk that serves, on which addons are developed."""
    application = HostApplication(
        config.load({"LOBBY_DATA": str(data), "LOBBY_WORKERS": "0", "LOBBY_DEVELOPMENT": "1"})
    )
    application.start(web=False)
    yield application
    application.close()


def relabel(folder: Path, old: str, new: str) -> None:
    path = folder / "heron/channel.py"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


@pytest.mark.slow
def test_the_desk_follows_each_change_and_keeps_what_worked(desk: HostApplication, heron: Path) -> None:
    developing = Developing(desk.config, heron)
    before = "Heron"
    for label in ("Heron", "Grey heron", "Night heron"):
        relabel(heron, f'label = "{before}"', f'label = "{label}"')
        before = label
        done = developing.deploy()
        assert done.sentences == ()
        assert done.version == "0.1.0"
        assert desk.refresh().directory.adapter("heron").label == label  # type: ignore[union-attr]
    with db.read() as session:
        kept = session.scalar(sa.select(sa.func.count()).select_from(AddonRelease))
    assert kept == 2, "what was made in between is not kept"

    relabel(heron, "class HeronChannel", "class Heron Channel")
    refused = developing.deploy()
    assert "heron/channel.py" in refused.sentences[0]
    assert desk.refresh().directory.adapter("heron").label == "Night heron"  # type: ignore[union-attr]


def test_a_change_counts_once_it_has_come_to_rest(heron: Path) -> None:
    channel, cache = heron / "heron/channel.py", heron / "heron/__pycache__"
    looks = 0
    seen: list[int] = []

    def pause(_seconds: float) -> bool:
        nonlocal looks
        looks += 1
        if looks in {3, 4, 5}:  # written in three steps
            channel.write_text(channel.read_text() + "#\n")
        if looks == 9:
            cache.mkdir()
            (cache / "channel.pyc").write_bytes(b"not what goes into the zip")
        return looks > 14

    for _ in changes(heron, pause):
        seen.append(looks)
    assert seen == [1, 6]


def test_it_is_for_desks_nobody_depends_on(data: Path, heron: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOBBY_DATA", str(data))
    answer = CliRunner().invoke(main, ["addon", "dev", str(heron)])
    assert answer.exit_code == 1
    assert "LOBBY_DEVELOPMENT=1" in answer.output
    monkeypatch.setenv("LOBBY_DEVELOPMENT", "1")
    answer = CliRunner().invoke(main, ["addon", "dev", str(heron)])
    assert answer.exit_code == 1
    assert "Start `lobby run` on it first." in answer.output
