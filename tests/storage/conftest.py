"""The stores a desk may keep its files in: its own folder, a shared one, and a bucket on a real socket."""

from __future__ import annotations

import uuid
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from obstore.store import S3Store as Bucket

from host.core.storage import FolderStore, Store
from host.core.storage.s3 import S3Store
from tests.storage.servers import ACCESS_KEY, SECRET_KEY, make_bucket

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from moto.server import ThreadedMotoServer


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """The address of a stand-in for S3."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(s3_server: str) -> str:
    """The name of an empty bucket."""
    name = f"desk-{uuid.uuid4().hex[:12]}"
    make_bucket(s3_server, name)
    return name


@pytest.fixture
def objects(s3_server: str, bucket: str) -> Bucket:
    """The bucket itself, to look into."""
    return Bucket(
        bucket,
        endpoint=s3_server,
        region="us-east-1",
        access_key_id=ACCESS_KEY,
        secret_access_key=SECRET_KEY,
        client_options={"allow_http": True},
    )


@pytest.fixture
def s3(s3_server: str, bucket: str, tmp_path: Path) -> Callable[[], S3Store]:
    """Make a store in the bucket, as each process has its own."""

    def made() -> S3Store:
        return S3Store(
            bucket,
            "files",
            staging=tmp_path / uuid.uuid4().hex,
            endpoint=s3_server,
            region="us-east-1",
            access_key=ACCESS_KEY,
            secret_key=SECRET_KEY,
        )

    return made


@pytest.fixture(params=["own folder", "shared folder", "s3"])
def stores(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Store]:
    """Make a store on the same place, as each process has its own; the place is marked."""
    if request.param == "s3":
        made: Callable[[], Store] = request.getfixturevalue("s3")
    else:
        shared = request.param == "shared folder"
        (tmp_path / "files").mkdir()

        def made() -> Store:
            return FolderStore(tmp_path / "files", shared=shared)

    made().mark("ours")
    return made
