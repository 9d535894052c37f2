"""Files in a bucket: what is sent and asked, what a store that fails does, and what nobody gets to see."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from obstore.store import S3Store as Bucket

from host.core import logs
from host.core.storage import NotStoredError, StoreAwayError, bytes_staged
from host.core.storage import s3 as s3_module
from host.core.storage.base import CHUNK
from host.core.storage.s3 import S3Store
from tests.storage.servers import ACCESS_KEY, SECRET_KEY, Moto, Proxy, make_bucket

BIG = random.Random(7).randbytes(6 * CHUNK + 17)


def put(store: S3Store, content: bytes) -> str:
    with bytes_staged(store, content) as staged:
        staged.keep()
        return staged.key


@pytest.fixture
def proxy(s3_server: str) -> Iterator[Proxy]:
    proxy = Proxy(s3_server)
    yield proxy
    proxy.close()


@pytest.fixture
def through(proxy: Proxy, bucket: str, tmp_path: Path) -> S3Store:
    """A store that is reached through the proxy."""
    return at(proxy.address, bucket, tmp_path)


def at(address: str, bucket: str, folder: Path) -> S3Store:
    return S3Store(
        bucket,
        "",
        staging=folder / "staging",
        endpoint=address,
        region="us-east-1",
        access_key=ACCESS_KEY,
        secret_key=SECRET_KEY,
    )


def test_an_object_has_the_name_of_a_file_and_no_type_and_no_right_of_its_own(
    s3: Callable[[], S3Store], objects: Bucket
) -> None:
    key = put(s3(), b"<script>")
    found = objects.get(f"files/{key[:2]}/{key}")
    assert found.attributes == {"Content-Type": "application/octet-stream"}
    assert [one["path"] for some in objects.list() for one in some] == [f"files/{key[:2]}/{key}"]


def test_what_came_in_is_not_left_on_this_machine(s3: Callable[[], S3Store], tmp_path: Path) -> None:
    put(s3(), BIG)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_small_file_takes_one_question_and_a_range_of_a_large_one_two(
    through: S3Store, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    small, large = put(through, b"hello"), put(through, BIG)
    ask, read = Bucket.get, []
    monkeypatch.setattr(
        Bucket, "get", lambda *given, **more: (asked.append(more["options"]["range"]), ask(*given, **more))[1]
    )
    with through.open_stored(small) as file:
        assert file.seek(0, os.SEEK_END) == 5
        file.seek(0)
        assert file.read() == b"hello"
    assert asked == [(0, CHUNK)]
    asked.clear()
    with through.open_stored(large) as file:
        file.seek(3 * CHUNK)
        while piece := file.read(8192):
            read.append(piece)
    assert b"".join(read) == BIG[3 * CHUNK :]
    assert asked == [(0, CHUNK), (3 * CHUNK, len(BIG))]


def test_a_file_that_breaks_off_is_read_on_from_there(
    through: S3Store, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = put(through, BIG)
    begun: list[int] = []
    real = S3Store._from

    def breaking(store: S3Store, key: str, start: int, end: int) -> Iterator[object]:
        begun.append(start)
        pieces = real(store, key, start, end)
        yield next(pieces)
        if len(begun) < 3:
            raise StoreAwayError("cut")
        yield from pieces

    monkeypatch.setattr(S3Store, "_from", breaking)
    with through.open_stored(key) as file:
        assert file.read() == BIG
    assert len(begun) == 3
    assert begun == sorted(set(begun))


def test_a_file_that_cannot_be_read_to_its_end_is_no_shorter_file(through: S3Store, proxy: Proxy) -> None:
    key = put(through, BIG)
    with through.open_stored(key) as file:
        assert file.read(10) == BIG[:10]
        proxy.mode, proxy.after = "cut", 0
        with pytest.raises(StoreAwayError):
            file.read()


def test_an_upload_that_breaks_off_leaves_nothing_behind(
    through: S3Store, proxy: Proxy, objects: Bucket, tmp_path: Path
) -> None:
    proxy.mode, proxy.after = "cut", 0
    with pytest.raises(StoreAwayError) as raised:
        bytes_staged(through, BIG)
    assert raised.value.passing
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    proxy.mode = "pass"
    key = put(through, BIG)
    with through.open_stored(key) as file:
        assert file.read() == BIG


@pytest.mark.slow
def test_a_store_that_hangs_is_given_up(
    proxy: Proxy, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3_module, "ASK_SECONDS", 1)
    store = at(proxy.address, bucket, tmp_path)
    proxy.mode = "hang"
    begun = time.monotonic()
    with pytest.raises(StoreAwayError, match="does not answer in time"):
        store.open_stored("0" * 64)
    assert time.monotonic() - begun < 10


def test_nobody_at_the_address_is_said_so(tmp_path: Path) -> None:
    store = at("http://127.0.0.1:1", "desk", tmp_path)
    with pytest.raises(StoreAwayError, match=r"s3://desk/ at 127\.0\.0\.1:1 cannot be reached") as raised:
        store.size("0" * 64)
    assert raised.value.passing


def test_a_bucket_that_is_not_there_is_no_missing_file(s3_server: str, tmp_path: Path) -> None:
    store = at(s3_server, "no-such-bucket", tmp_path)
    for work in (store.marker, lambda: store.open_stored("0" * 64), lambda: bytes_staged(store, b"x")):
        with pytest.raises(StoreAwayError, match="there is no bucket no-such-bucket") as raised:
            work()
        assert not raised.value.passing


def test_a_store_killed_midway_goes_on_where_it_was_started_again(tmp_path: Path) -> None:
    moto = Moto()
    try:
        make_bucket(moto.address, "desk")
        store = at(moto.address, "desk", tmp_path)
        with bytes_staged(store, b"hello") as staged:
            moto.kill()
            with pytest.raises(StoreAwayError):
                staged.keep()
            moto.start()  # with nothing in it, as if all had been lost
            make_bucket(moto.address, "desk")
            staged.keep()
        with store.open_stored(staged.key) as file:
            assert file.read() == b"hello"
    finally:
        moto.kill()


def test_keys_are_refused_without_a_word_about_them(
    through: S3Store, proxy: Proxy, caplog: pytest.LogCaptureFixture
) -> None:
    proxy.mode = "refuse"
    for work in (
        through.marker,
        lambda: through.open_stored("0" * 64),
        lambda: bytes_staged(through, b"x"),
        lambda: through.keys("00", older_than=None),
        lambda: through.mark("x"),
        lambda: through.remove("0" * 64, in_use=lambda: False),
    ):
        with pytest.raises(StoreAwayError, match=r"refuses the keys|answers 403") as raised:
            work()
        told = "".join(traceback.format_exception(raised.value))
        for secret in (SECRET_KEY, ACCESS_KEY):
            assert secret not in told + str(raised.value) + repr(raised.value) + caplog.text


def test_no_words_of_the_store_hold_its_keys(through: S3Store) -> None:
    for secret in (SECRET_KEY, ACCESS_KEY):
        assert secret not in repr(through) + through.place + repr(vars(through))
        assert secret not in logs.redact(f"it says {secret}")


def test_keys_of_the_environment_do(
    s3_server: str, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (
        ("AWS_ACCESS_KEY_ID", ACCESS_KEY),
        ("AWS_SECRET_ACCESS_KEY", SECRET_KEY),
        ("AWS_REGION", "us-east-1"),
    ):
        monkeypatch.setenv(name, value)
    store = S3Store(bucket, "", staging=tmp_path, endpoint=s3_server)
    key = put(store, b"hello")
    assert store.size(key) == 5
    assert store.remove(key, in_use=lambda: False)
    with pytest.raises(NotStoredError):
        store.open_stored(key)


MEMORY = """
import resource, sys
from pathlib import Path
from host.core.storage.s3 import S3Store
class Long:
    left = int(sys.argv[3])
    def read(self, most=-1, /):
        found = min(self.left, most)
        self.left -= found
        return b"x" * found
store = S3Store("desk", "", staging=Path(sys.argv[2]), endpoint=sys.argv[1],
    region="r", access_key="a" * 9, secret_key="b" * 9)
with store.stage(Long(), most=2**40) as staged:
    staged.keep()
with store.open_stored(staged.key) as file:
    while file.read(8192):
        pass
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.slow
def test_no_whole_file_is_in_memory(tmp_path: Path) -> None:
    moto = Moto()
    try:
        make_bucket(moto.address, "desk")
        most = [
            int(
                subprocess.run(
                    [sys.executable, "-c", MEMORY, moto.address, str(tmp_path), str(size)],
                    capture_output=True,
                    check=True,
                    text=True,
                ).stdout
            )
            for size in (1024**2, 200 * 1024**2)
        ]
    finally:
        moto.kill()
    assert most[1] - most[0] < 40 * 1024, most
