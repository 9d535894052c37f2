"""``lobby files copy`` and what ``lobby doctor`` says of files, as an operator runs them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from host import counters
from host.cli import doctor
from host.core import db, storage
from host.core.config import ConfigError
from host.core.storage import FolderStore
from host.media import claiming
from host.sdk.cards import Verdict
from tests import helpers
from tests.media.test_uploads import take

SECRET = "a/secret+that+is+nowhere+to+be+seen"


def lobby(*arguments: str, data: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    given = {name: value for name, value in os.environ.items() if not name.startswith(("LOBBY_", "AWS_"))}
    given |= {"LOBBY_DATA": str(data)} | {f"LOBBY_{key.upper()}": value for key, value in environment.items()}
    return subprocess.run(
        [sys.executable, "-m", "host.cli", *arguments],
        env=given,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.mark.slow
def test_files_go_to_another_place_and_the_desk_is_told_what_to_set(
    database: db.Database, data: Path, tmp_path: Path
) -> None:
    storage.use(FolderStore(data / "attachments"))
    key = take(helpers.make_workspace(), b"a file").storage_key
    share = tmp_path / "share"
    share.mkdir()
    done = lobby("files", "copy", str(share), data=data)
    assert done.returncode == 0, done.stderr
    assert "1 files copied" in done.stdout
    assert f"Now set LOBBY_FILES={share} for every process" in done.stdout
    assert f"lobby files copy {share} --from data" in done.stdout
    with FolderStore(share, shared=True).open_stored(key) as file:
        assert file.read() == b"a file"
    counters.reset()
    for settings in (helpers.make_config(data), helpers.make_config(data, files=str(share))):
        claiming.require(settings, storage.opened(settings))
    again = lobby("files", "copy", str(share), "--from", "data", data=data, files=str(share))
    assert again.returncode == 0, again.stderr
    assert "0 files copied" in again.stdout
    assert "already keeps its files there" in again.stdout


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("nowhere", "must be a folder such as"),
        ("s3://Bad_Bucket!", "must look like s3://bucket"),
        ("s3://key:secret@bucket", "with no keys in it"),
    ],
)
def test_a_place_that_is_none_is_refused(place: str, words: str, data: Path) -> None:
    with pytest.raises(ConfigError, match=words) as raised:
        helpers.make_config(data, files=place)
    assert "key:secret" not in str(raised.value)


def test_keys_go_together_and_are_in_no_words(data: Path) -> None:
    with pytest.raises(ConfigError, match="go together"):
        helpers.make_config(data, files_secret_key=SECRET)
    with pytest.raises(ConfigError, match="LOBBY_FILES_ENDPOINT") as raised:
        helpers.make_config(data, files_endpoint=f"https://key:{SECRET}@s3.example.com")
    assert SECRET not in str(raised.value)
    settings = helpers.make_config(data, files_access_key="access", files_secret_key=SECRET)
    assert SECRET not in repr(settings)


def test_doctor_says_where_files_are_and_why_they_cannot_be_used(
    database: db.Database, data: Path, tmp_path: Path
) -> None:
    found = doctor._files(helpers.make_config(data))
    assert (found.verdict, str(data / "attachments") in str(found.evidence)) == (Verdict.PASS, True)
    share = tmp_path / "share"
    settings = helpers.make_config(data, files=str(share))
    assert doctor._files(settings).verdict is Verdict.FAIL
    share.mkdir()
    assert "`lobby run` does that" in str(doctor._files(settings).fix)
    claiming.require(settings, storage.opened(settings))
    assert doctor._files(settings).verdict is Verdict.PASS
    (share / "lobby.desk").write_text(claiming.written(7))
    assert "another desk" in str(doctor._files(settings).fix)


def test_doctor_tells_no_key(database: db.Database, data: Path) -> None:
    settings = helpers.make_config(
        data,
        files="s3://desk/files",
        files_endpoint="http://127.0.0.1:1",
        files_region="us-east-1",
        files_access_key="ACCESSKEYACCESSKEY",
        files_secret_key=SECRET,
    )
    found = doctor._files(settings)
    assert found.verdict is Verdict.FAIL
    assert "s3://desk/files/ at 127.0.0.1:1 cannot be reached" in str(found.evidence)
    assert SECRET not in repr(found)
    assert "ACCESSKEYACCESSKEY" not in repr(found)


@pytest.mark.slow
def test_a_start_with_a_share_that_is_not_there_ends_with_a_sentence(data: Path, tmp_path: Path) -> None:
    done = lobby("run", data=data, files=str(tmp_path / "not" / "mounted"), bind="127.0.0.1:0")
    assert done.returncode == 73
    assert "The files cannot be used" in done.stderr
    assert "Traceback" not in done.stderr
