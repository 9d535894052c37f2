"""The file format of a backup: a zip with JSON lines per table, the files of messages, and a contents list.

Rows are stored independently of the database, so a backup made on SQLite can be restored into PostgreSQL or
MariaDB and vice versa. The list is last, so a truncated file has none.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import IO, Any

import msgspec
import sqlalchemy as sa
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from host.core.secrets import Keyring, Place
from host.sdk import strictjson

FORMAT = 1
LIST = "backup.json"
SIGNATURE = "backup.sig"
"""The desk's signature of the list. The list contains the digests of everything else."""
KEYS = "keys.sealed"
TRUSTED = "settings/trusted.keys"
"""File in the data folder with the trusted and the revoked addon publishers."""
PROOF = Place("backup", "proof", 0, "lobby")
"""Place of the sealed word that proves to a restored desk that its keys are correct."""
_PURPOSE = "backup"
_UNVERIFIED = "Nothing was restored. If you know who has had it in their hands, add `--unverified`."
_PIECE = 1024 * 1024
_COST = 2**16
"""Cost parameter of scrypt: 64 MB and some tenths of a second for each guessed passphrase."""


class BackupError(Exception):
    """A backup cannot be created, read or restored. The text is for the operator."""


class Contents(msgspec.Struct, kw_only=True):
    """The contents list of a backup.

    :param lobby: the version of Lobby that made it.
    :param database: the kind of database it was made from.
    :param revisions: version table -> the revision its tables are at.
    :param tables: table -> rows.
    :param files: number of files of messages.
    :param files_left_out: number of files left out on purpose.
    :param missing: storage keys in rows whose files were missing.
    :param spooled: requests that were in the spool.
    :param proofs: a word sealed with each key of the desk.
    :param keys: whether it contains the keys, sealed with a passphrase.
    :param digests: name in the zip -> SHA-256, of everything except this list and its signature.
    """

    format: int
    lobby: str
    made_at: str
    database: str
    revisions: dict[str, str]
    tables: dict[str, int]
    files: int
    missing: list[str]
    spooled: int
    proofs: list[str]
    keys: bool
    digests: dict[str, str]
    files_left_out: int = 0


class Writing:
    """A backup that is being written.

    :ivar digests: digests of the parts written so far, as :attr:`Contents.digests`.
    """

    def __init__(self, zipped: zipfile.ZipFile) -> None:
        self._zip = zipped
        self.digests: dict[str, str] = {}

    def add(self, name: str, pieces: Iterator[bytes], *, packed: bool = True) -> None:
        """Write *pieces* as the file *name*; do not compress it if it is already *packed*."""
        info = zipfile.ZipInfo(name)
        info.compress_type = zipfile.ZIP_STORED if packed else zipfile.ZIP_DEFLATED
        digest = hashlib.sha256()
        with self._zip.open(info, "w", force_zip64=True) as out:
            for piece in pieces:
                digest.update(piece)
                out.write(piece)
        self.digests[name] = digest.hexdigest()

    def finish(self, contents: Contents, keyring: Keyring) -> None:
        """Write the signature of the list, then the list."""
        listed = msgspec.json.format(msgspec.json.encode(contents), indent=1)
        self._zip.writestr(SIGNATURE, keyring.sign(_PURPOSE, _digest(listed)))
        self._zip.writestr(LIST, listed)


@contextmanager
def writing(target: Path) -> Iterator[Writing]:
    """Yield a backup to write; it is renamed to *target* once it is complete and on disk.

    :raises BackupError: if it cannot be written, or *target* exists.
    """
    if target.exists():
        raise BackupError(f"{target} is there already.")
    draft = target.with_name(f"{target.name}.part")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as zipped:
                    yield Writing(zipped)
                file.flush()
                os.fsync(file.fileno())
            draft.rename(target)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise BackupError(f"{target} cannot be written: {error.strerror}.") from error


class Reading:
    """A backup that was read completely and verified: all parts are there and unchanged.

    :ivar contents: its contents list.
    """

    def __init__(self, zipped: zipfile.ZipFile) -> None:
        self._zip = zipped
        try:
            self._listed = zipped.read(LIST)
            self.contents = strictjson.decode(self._listed, Contents)
        except KeyError:
            raise BackupError("This is no backup of Lobby, or one that was cut off.") from None
        except msgspec.MsgspecError as error:
            raise BackupError(f"The list of this backup cannot be read: {error}.") from None
        if self.contents.format > FORMAT:
            raise BackupError(
                f"This backup is of Lobby {self.contents.lobby}, in a form this version does not know."
            )

    def check(self) -> None:
        """Read everything once and compare the digests.

        :raises BackupError: if a part is damaged or was changed.
        """
        for name, wanted in self.contents.digests.items():
            digest = hashlib.sha256()
            for piece in self.pieces(name):
                digest.update(piece)
            if digest.hexdigest() != wanted:
                raise BackupError(f"{name} in this backup is not as it was written.")

    def check_signature(self, keyring: Keyring) -> None:
        """Check that a desk with the keys of *keyring* made the backup, and that it is unchanged since.

        :raises BackupError: if it has no signature, or one by other keys.
        """
        try:
            signature = self._zip.read(SIGNATURE).decode("ascii", "replace")
        except KeyError:
            raise BackupError(
                "This backup has no signature. Either a Lobby that did not sign backups yet made it, or "
                f"somebody changed it. {_UNVERIFIED}"
            ) from None
        if not keyring.is_signed(signature, _PURPOSE, _digest(self._listed)):
            raise BackupError(
                "The keys here did not sign this backup: another desk made it, or somebody changed it. "
                f"{_UNVERIFIED}"
            )

    def pieces(self, name: str) -> Iterator[bytes]:
        """Yield the bytes of the file *name*."""
        try:
            with self._zip.open(name) as file:
                while piece := file.read(_PIECE):
                    yield piece
        except (KeyError, zipfile.BadZipFile, EOFError) as error:
            raise BackupError(f"{name} in this backup cannot be read.") from error

    def unlisted(self) -> list[str]:
        """Return the entries of the zip that the list doesn't vouch for. They are not restored.

        Of two with a listed name, the one with the listed digest is restored, and the name is returned too.
        """
        unlisted = Counter(info.filename for info in self._zip.infolist())
        unlisted.subtract({*self.contents.digests, LIST, SIGNATURE})
        return sorted(name for name, count in unlisted.items() if count > 0)

    def names(self, folder: str) -> list[str]:
        """Return the files in a *folder* of the backup."""
        return sorted(name for name in self.contents.digests if name.startswith(f"{folder}/"))

    def rows(self, table: str) -> Iterator[dict[str, Any]]:
        """Yield the rows of *table*, with values in the form of :func:`plain`."""
        name = f"tables/{table}.jsonl"
        try:
            with self._zip.open(name) as file:
                for line in file:
                    yield json.loads(line)
        except (KeyError, ValueError, RecursionError) as error:
            raise BackupError(f"{name} in this backup cannot be read.") from error


@contextmanager
def reading(source: Path) -> Iterator[Reading]:
    """Yield the backup *source*.

    :raises BackupError: if it is not a backup.
    """
    try:
        with zipfile.ZipFile(source) as zipped:
            yield Reading(zipped)
    except zipfile.BadZipFile:
        raise BackupError(f"{source} is no backup of Lobby, or one that was cut off.") from None
    except OSError as error:
        raise BackupError(f"{source} cannot be read: {error.strerror}.") from error


def whole(file: IO[bytes]) -> Iterator[bytes]:
    """Yield the bytes of an open file."""
    while piece := file.read(_PIECE):
        yield piece


# Values


def plain(value: Any) -> Any:
    """Return a value of a row in JSON; types JSON lacks become an object with one name."""
    if isinstance(value, bytes | memoryview):
        return {"bytes": base64.b64encode(bytes(value)).decode()}
    if isinstance(value, datetime):
        return {"at": (value.astimezone(UTC) if value.tzinfo else value).replace(tzinfo=None).isoformat()}
    if isinstance(value, date):
        return {"day": value.isoformat()}
    return {"number": str(value)} if isinstance(value, Decimal) else value


def value_for(column: sa.types.TypeEngine[Any], value: Any) -> Any:
    """Convert a value from :func:`plain` for a column of this type."""
    if isinstance(value, dict):
        ((kind, content),) = value.items()
        if kind == "at":
            at = datetime.fromisoformat(content)
            return at.replace(tzinfo=UTC) if getattr(column, "timezone", False) else at
        of: dict[str, Callable[[str], Any]] = {
            "bytes": base64.b64decode,
            "day": date.fromisoformat,
            "number": Decimal,
        }
        return of[kind](content)
    if value is not None and isinstance(column, sa.Boolean):
        return bool(value)
    return int(value) if isinstance(value, bool) else value


# Keys


def _digest(listed: bytes) -> str:
    return hashlib.sha256(listed).hexdigest()


def sealed(files: Mapping[str, str], passphrase: str) -> bytes:
    """Return *files* encrypted with *passphrase*: scrypt, then AES-256-GCM."""
    salt, nonce = os.urandom(16), os.urandom(12)
    box = AESGCM(_key(passphrase, salt)).encrypt(nonce, json.dumps(dict(files)).encode(), KEYS.encode())
    return salt + nonce + box


def opened(box: bytes, passphrase: str) -> dict[str, str]:
    """Return the files sealed with :func:`sealed`.

    :raises BackupError: if the passphrase is wrong.
    """
    try:
        content = AESGCM(_key(passphrase, box[:16])).decrypt(box[16:28], box[28:], KEYS.encode())
    except InvalidTag:
        raise BackupError("The passphrase does not open the keys in this backup.") from None
    files: dict[str, str] = json.loads(content)
    return files


def _key(passphrase: str, salt: bytes) -> bytes:
    return Scrypt(salt=salt, length=32, n=_COST, r=8, p=1).derive(passphrase.encode())
