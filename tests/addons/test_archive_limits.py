"""Hostile zips cost little: a second, 200 MB, and nothing stays behind on the disk or in the database."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import sqlalchemy as sa

from host.addons import reports
from host.addons.package import archive, checking
from host.addons.package.archive import ArchiveError
from host.core import db
from host.models.addons import AddonArchivePart, AddonRelease
from host.process.serving import HostApplication
from tests.addons.conftest import TOY, MakeZip
from tests.addons.test_archive import DEFECTS, rebuilt

pytestmark = pytest.mark.usefixtures("cold_children")

MEASURE = """
import json, sys, time
from pathlib import Path
from host.addons.package import archive, imports
seen = {}
for path in sorted(Path(sys.argv[1]).iterdir()):
    started = time.process_time()
    try:
        found = archive.inspect(path)
        said = " ".join(imports.check_archive(found)) or "accepted"
    except archive.ArchiveError as error:
        said = str(error)
    seen[path.name] = [time.process_time() - started, said]
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(json.dumps([int(peak.split()[1]) // 1024, seen]))
"""


def bombs(valid: bytes) -> dict[str, bytes]:
    """Zips as expensive to read as the rules let them be, or a little more."""
    packed = zipfile.ZIP_DEFLATED
    return {
        "stored up to the limit": rebuilt(
            valid, add={f"static/{n}.txt": bytes([n]) * 3_900_000 for n in range(5)}
        ),
        "small files that inflate": rebuilt(
            valid, add={f"static/{n}.txt": b"\0" * 1_000_000 for n in range(90)}, method=packed
        ),
        "one file that inflates": rebuilt(valid, add={"static/x.txt": b"\0" * 15_000_000}, method=packed),
        "as many files as may be": rebuilt(
            valid, add={f"static/{n}.css": b"a{}" for n in range(archive.MAX_ENTRIES - 50)}
        ),
    }


@pytest.fixture(scope="module")
def valid(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    from host.addons.package.build import build_addon

    path = tmp_path_factory.mktemp("valid") / "toy.zip"
    build_addon(TOY, path)
    return path.read_bytes()


@pytest.mark.slow
def test_every_refusal_takes_less_than_a_second_and_200_mb(valid: bytes, tmp_path: Path) -> None:
    for number, (change, _) in enumerate(DEFECTS.values()):
        (tmp_path / f"{number}").write_bytes(change(valid))
    for name, made in bombs(valid).items():
        (tmp_path / name).write_bytes(made)
    command = [sys.executable, "-c", MEASURE, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    megabytes, seen = json.loads(done.stdout)
    assert megabytes < 200
    slow = {name: taken for name, (taken, _) in seen.items() if taken >= 1}
    assert not slow
    said = {name: words for name, (_, words) in seen.items() if not name.isdigit()}
    assert said["stored up to the limit"] == said["as many files as may be"] == "accepted"
    assert "packed" in said["small files that inflate"]
    assert "packed" in said["one file that inflates"]


SOURCES = {
    "f-string": "f'" + "{a}" * 150_000 + "'\n",
    "many statements": "a;" * 250_000,
    "deep": "-" * 400_000 + "1\n",
    "too long": "# x\n" * 300_000,
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SOURCES)
def test_code_that_is_expensive_to_read_ends_its_reader_only(name: str, valid: bytes, tmp_path: Path) -> None:
    path = tmp_path / "upload.zip"
    path.write_bytes(rebuilt(valid, add={"toy/bomb.py": SOURCES[name].encode()}))
    with pytest.raises(ArchiveError, match=r"too long or too much memory|not Python|larger than 1024 KB"):
        checking.check(path)


def test_a_manifest_that_is_expensive_to_read_ends_its_reader_only(valid: bytes, tmp_path: Path) -> None:
    text = (TOY / "addon.toml").read_text() + "\n" + ".".join(["a"] * 28_000) + "=1"
    path = tmp_path / "upload.zip"
    path.write_bytes(rebuilt(valid, drop=("addon.toml",), add={"addon.toml": text.encode()}))
    with pytest.raises(ArchiveError, match="a dotted key has more than 8 parts"):
        checking.check(path)


def test_a_reader_that_hangs_is_ended(valid: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "upload.zip"
    path.write_bytes(valid)
    with pytest.raises(ArchiveError, match="too long"):
        checking.check(path, timeout=0.001)


def test_the_reader_says_what_reading_here_would(valid: bytes, tmp_path: Path) -> None:
    path = tmp_path / "upload.zip"
    path.write_bytes(valid)
    assert checking.check(path) == archive.inspect(path)


def test_refused_zips_leave_nothing_behind(
    desk: HostApplication, valid: bytes, tmp_path: Path, data: Path
) -> None:
    path = tmp_path / "upload.zip"
    for name in ("parent folder", "link", "overlap", "wrong checksum", "cut short", "no manifest"):
        path.write_bytes(DEFECTS[name][0](valid))
        report = reports.upload(desk.config, path)
        assert report.release is None
        assert report.problems
    with db.read() as session:
        for model in (AddonRelease, AddonArchivePart):
            assert session.scalar(sa.select(sa.func.count()).select_from(model)) == 0
    assert [path.name for path in (data / "addons").rglob("*")] == ["operation.lock"]


@pytest.mark.parametrize(
    ("slug", "sentence"),
    [
        ("channel", "The name 'channel' would claim the table channel_accounts, which is not its own."),
        ("addon", "The name 'addon' would claim the table addon_"),
    ],
)
def test_a_name_that_would_claim_what_is_the_desks_is_refused(
    slug: str, sentence: str, desk: HostApplication, toy_zip: MakeZip
) -> None:
    changes = {
        "addon.toml": lambda t: t.replace('slug = "toy"', f'slug = "{slug}"').replace('"toy_accounts"', ""),
        "templates/toy/page.html": None,
        "templates/toy/settings.html": None,
    }
    report = reports.upload(desk.config, toy_zip(changes))
    assert report.release is None
    assert report.problems[0].startswith(sentence)
