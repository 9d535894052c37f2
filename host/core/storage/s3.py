"""Store files in a bucket of an S3-compatible store.

Objects are named like the files in a folder, so tools that copy a folder to a bucket can copy a desk's files.
They get no type or permissions: the database has the type and the access rights, and Lobby serves the files.
"""

from __future__ import annotations

import io
import re
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast
from urllib.parse import urlsplit

from host.core import logs
from host.core.storage.base import (
    ASIDE,
    CHUNK,
    KEY,
    LONGEST_MARKER,
    MARKER,
    NotStoredError,
    Readable,
    StoreAwayError,
    remove,
)
from host.core.storage.folder import FolderStore, _StagedFile

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer
    from obstore import Bytes
    from obstore.store import ClientConfig, RetryConfig
    from obstore.store import S3Store as Bucket

CONNECT_SECONDS = 3
ASK_SECONDS = 10
"""Timeout of a request about an object, in seconds. It doesn't apply to sending or reading files."""
SEND_SECONDS = 120
READ_SECONDS = 20
"""Maximum pause of the store while a file is read, in seconds."""
PART = 5 * 1024**2
"""The smallest part S3 accepts, which is also the amount of a file held in memory."""
REOPENED = 3
"""Maximum number of times a broken read is resumed."""

_RETRY: RetryConfig = {
    "max_retries": 2,
    "retry_timeout": timedelta(seconds=8),
    "backoff": {"init_backoff": timedelta(milliseconds=100), "max_backoff": timedelta(seconds=1), "base": 2},
}
_STATUS = re.compile(r"status code: (\d{3})")
_CODE = re.compile(r"<Code>(\w{1,64})</Code>")
_KIND = re.compile(r"kind: (\w{1,32})")
_KINDS = {"Connect": "cannot be reached", "Timeout": "does not answer in time"}


class S3Store:
    """A store that keeps each content in an object ``<prefix>/<first two digits>/<key>``.

    :param staging: folder to which incoming content is written first, as its hash and length are only known
        then.
    :param endpoint: address of the store; empty: that of AWS, or ``AWS_ENDPOINT_URL``.
    :param region: empty: ``AWS_REGION``.
    :param access_key: with *secret_key*; empty: those of the environment, or of the machine's role at AWS.
    """

    def __init__(
        self,
        bucket: str,
        prefix: str,
        *,
        staging: Path,
        endpoint: str = "",
        region: str = "",
        access_key: str = "",
        secret_key: str = "",
    ) -> None:
        # An optional dependency, imported on use.
        from obstore import exceptions
        from obstore.store import S3Store as Bucket

        self._error = exceptions.BaseError
        self._refusal = exceptions.PermissionDeniedError, exceptions.UnauthenticatedError
        self._bucket_name = bucket
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self._local = FolderStore(staging)
        host = urlsplit(endpoint).netloc.rpartition("@")[2] or "AWS"
        self.place = f"s3://{bucket}/{self._prefix} at {host}"
        for secret in (access_key, secret_key):
            logs.mask(secret)
        given = {
            name: value
            for name, value in (
                ("endpoint", endpoint.rstrip("/")),
                ("region", region),
                ("access_key_id", access_key),
                ("secret_access_key", secret_key),
            )
            if value
        }

        def client(timeouts: ClientConfig) -> Bucket:
            options: ClientConfig = {
                "allow_http": True,
                "connect_timeout": timedelta(seconds=CONNECT_SECONDS),
                **timeouts,
            }
            try:
                return Bucket(
                    bucket,
                    virtual_hosted_style_request=not endpoint,
                    disable_bulk_delete=True,
                    client_options=options,
                    retry_config=_RETRY,
                    **given,  # type: ignore[arg-type]
                )
            except self._error:  # its message may contain the input
                raise StoreAwayError(f"{self.place} cannot be used as it is set", passing=False) from None

        self._asking = client({"timeout": timedelta(seconds=ASK_SECONDS)})
        self._sending = client({"timeout": timedelta(seconds=SEND_SECONDS)})
        self._reading = client({"read_timeout": timedelta(seconds=READ_SECONDS)})

    def __repr__(self) -> str:
        return f"S3Store({self.place})"

    def stage(self, stream: Readable, *, most: int) -> _StagedObject:
        staged = self._local.stage(stream, most=most)
        try:
            self._put(staged)
        except BaseException:
            staged.__exit__()
            raise
        return _StagedObject(self, staged)

    def open_stored(self, key: str) -> BinaryIO:
        if not KEY.match(key):
            raise NotStoredError("that is not a key")
        with suppress(FileNotFoundError):
            return self._opened(key)
        for name in self.names_aside(key)[:1]:  # a process that died had set it aside
            self.put_back(name, key)
        try:
            return self._opened(key)
        except FileNotFoundError:
            raise NotStoredError("nothing is stored under that key") from None

    def size(self, key: str) -> int | None:
        if not KEY.match(key):
            return None
        try:
            with self._answering():
                return self._asking.head(self._name(key))["size"]
        except FileNotFoundError:
            return None

    def remove(self, key: str, *, in_use: Callable[[], bool]) -> bool:
        return remove(self, key, in_use)

    def keys(self, shard: str, *, older_than: float | None) -> list[str]:
        with self._answering():
            if older_than is not None:
                self._local.drop_remains(older_than)
                for path in self._listed(f"{ASIDE}/{shard}", older_than):
                    self.put_back(path, path.split("/")[-2])
            found = [path.rpartition("/")[2] for path in self._listed(shard, older_than)]
        return [key for key in found if KEY.match(key)]

    def marker(self) -> str | None:
        try:
            with self._answering():
                found = self._asking.get(self._prefix + MARKER, options={"range": (0, LONGEST_MARKER)})
                return bytes(found.bytes()).decode("utf-8", "replace")
        except FileNotFoundError:
            return None

    def mark(self, text: str) -> None:
        with self._answering():
            self._asking.put(self._prefix + MARKER, text.encode(), use_multipart=False)

    # For removing

    def names_aside(self, key: str) -> list[str]:
        with self._answering():
            return self._listed(f"{ASIDE}/{key[:2]}/{key}")

    def set_aside(self, key: str) -> str | None:
        # Listing starts at whole names between slashes.
        name = f"{self._prefix}{ASIDE}/{key[:2]}/{key}/{uuid.uuid4().hex}"
        try:
            with self._answering():
                self._asking.copy(self._name(key), name)
        except FileNotFoundError:
            return None
        self.drop(self._name(key))
        return name

    def put_back(self, name: str, key: str) -> None:
        try:
            with self._answering():
                self._asking.copy(name, self._name(key))
        except FileNotFoundError:
            return  # already put back by another process
        self.drop(name)

    def drop(self, name: str) -> None:
        with suppress(FileNotFoundError), self._answering():
            self._asking.delete(name)

    # Within

    def _name(self, key: str) -> str:
        return f"{self._prefix}{key[:2]}/{key}"

    def _listed(self, folder: str, older_than: float | None = None) -> list[str]:
        return [
            one["path"]
            for some in self._asking.list(self._prefix + folder)
            for one in some
            if older_than is None or one["last_modified"].timestamp() < older_than
        ]

    def _put(self, staged: _StagedFile) -> None:
        """Upload a file; it appears once it is complete.

        A large file is sent in parts, each with its SHA-256 in the signature, for the store to compare.
        """
        with staged.open() as file, self._answering():
            self._sending.put(
                self._name(staged.key),
                file,
                attributes={"Content-Type": "application/octet-stream"},
                chunk_size=PART,
                max_concurrency=1,
            )

    def _opened(self, key: str) -> BinaryIO:
        """Open an object with one request: most objects fit in its response.

        :raises FileNotFoundError: if there is none.
        """
        with self._answering():
            try:
                first = self._asking.get(self._name(key), options={"range": (0, CHUNK)})
                head, size = bytes(first.bytes()), first.meta["size"]
            except self._error as error:
                if "status code: 416" not in str(error):  # it has no first byte
                    raise
                head, size = b"", self._asking.head(self._name(key))["size"]
        return cast(BinaryIO, io.BufferedReader(_Object(self, key, head, size), CHUNK))

    def _from(self, key: str, start: int, end: int) -> Iterator[Bytes]:
        """Yield the pieces of an object between two positions."""
        with self._answering():
            yield from self._reading.get(self._name(key), options={"range": (start, end)}).stream(
                min_chunk_size=CHUNK
            )

    @contextmanager
    def _answering(self) -> Iterator[None]:
        """Reword the library's errors, which contain addresses and parts of requests.

        :raises FileNotFoundError: if there is no such object.
        """
        try:
            yield
        except FileNotFoundError as error:
            if "NoSuchBucket" not in str(error):
                raise FileNotFoundError from None
            words = f"there is no bucket {self._bucket_name} at {self.place.rpartition(' ')[2]}"
            raise StoreAwayError(words, passing=False) from None
        except self._refusal as error:
            said = _said(str(error)) or type(error).__name__
            raise StoreAwayError(f"{self.place} refuses the keys ({said})", passing=False) from None
        except self._error as error:
            text = str(error)
            kind = _KIND.search(text)
            said = _said(text)
            words = f"answers {said}" if said else _KINDS.get(kind[1] if kind else "", "does not answer")
            final = "NoSuchBucket" in text
            raise StoreAwayError(f"{self.place} {words}", passing=not final) from None


class _StagedObject:
    def __init__(self, store: S3Store, staged: _StagedFile) -> None:
        self._store = store
        self._staged = staged
        self.key = staged.key
        self.size = staged.size

    def open(self) -> BinaryIO:
        return self._staged.open()

    def keep(self) -> None:
        if self._store.size(self.key) is None:
            self._store._put(self._staged)

    def __enter__(self) -> _StagedObject:
        return self

    def __exit__(self, *_: object) -> None:
        self._staged.__exit__()


class _Object(io.RawIOBase):
    """A seekable object that is read a piece at a time.

    :param head: its first bytes.
    """

    def __init__(self, store: S3Store, key: str, head: bytes, size: int) -> None:
        self._store = store
        self._key = key
        self._head = head
        self._size = size
        self._at = 0
        self._pieces: Iterator[Bytes] | None = None
        self._piece = memoryview(b"")
        self._next = -1
        """Position of the first byte of ``_piece``, followed by the remaining pieces."""

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, start + offset)
        return self._at

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        target = memoryview(buffer).cast("B")
        if self._at >= self._size:
            return 0
        if self._at < len(self._head):
            found = memoryview(self._head)[self._at : self._at + len(target)]
        else:
            found = self._streamed()[: len(target)]
            self._piece, self._next = self._piece[len(found) :], self._next + len(found)
        target[: len(found)] = found
        self._at += len(found)
        return len(found)

    def _streamed(self) -> memoryview:
        """Return bytes from the current position, of a stream that is resumed if it breaks off."""
        for left in reversed(range(REOPENED)):
            try:
                if self._pieces is None or self._next != self._at:
                    self._pieces, self._piece = (
                        self._store._from(self._key, self._at, self._size),
                        memoryview(b""),
                    )
                    self._next = self._at
                while not len(self._piece):
                    self._piece = memoryview(next(self._pieces)).cast("B")
                return self._piece
            except (StoreAwayError, FileNotFoundError, StopIteration) as error:
                self._pieces = None
                if not left:
                    raise StoreAwayError(f"{self._store.place} broke off a file") from error
        raise AssertionError("unreachable")

    def close(self) -> None:
        self._pieces, self._piece = None, memoryview(b"")
        super().close()


def _said(text: str) -> str:
    """Return the status and the code of the response quoted in *text*."""
    found = [match[1] for pattern in (_STATUS, _CODE) if (match := pattern.search(text))]
    return " ".join(found)
