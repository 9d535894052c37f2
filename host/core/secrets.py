"""Secrets at rest: AES-256-GCM, bound to the place they are stored in.

A sealed value has the form ``v1:<key id>:<base64url(nonce | ciphertext | tag)>``. The key id, table, column,
workspace and the row's UUID are authenticated with it, so a ciphertext copied into another row or column does
not open.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import logging
import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from host.core import logs
from host.core.config import Config, ConfigError
from host.sdk.errors import SecretUnreadableError

_NONCE = 12

log = logging.getLogger(__name__)


class Secret:
    """A credential that is not revealed in logs, tracebacks, JSON or pickles."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value
        logs.mask(value)

    def reveal(self) -> str:
        """Return the credential, where it is needed."""
        return self._value

    def __repr__(self) -> str:
        return "Secret('…')"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._value.encode(), other._value.encode())

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __bool__(self) -> bool:
        return bool(self._value)

    def __reduce__(self) -> str:
        raise TypeError("a Secret is not pickled")


@dataclass(frozen=True, slots=True)
class Place:
    """The place where a sealed value is stored, authenticated with it."""

    table: str
    column: str
    workspace_id: int
    row_uuid: str

    def aad(self, key_id: str) -> bytes:
        parts = ("lobby1", key_id, self.table, self.column, str(self.workspace_id), self.row_uuid)
        return b"\0".join(part.encode() for part in parts)


class Keyring:
    """The keys of one installation. The first one seals; all of them open."""

    def __init__(
        self, keys: Mapping[str, bytes], path: Path | None = None, stamp: tuple[int, int] = (0, 0)
    ) -> None:
        if not keys:
            raise ConfigError("no secret key")
        self.path = path
        self.stamp = stamp
        self._keys = {key_id: _derive(key, b"lobby secrets at rest") for key_id, key in keys.items()}
        self._active = next(iter(keys))
        self._index = _derive(next(iter(keys.values())), b"lobby blind index")
        self._links = tuple(_derive(key, b"lobby signed links") for key in keys.values())

    @property
    def active_id(self) -> str:
        return self._active

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(self._keys)

    def seal(self, secret: Secret, place: Place) -> str:
        """Encrypt *secret* for *place* with the first key."""
        nonce = os.urandom(_NONCE)
        sealed = AESGCM(self._keys[self._active]).encrypt(
            nonce, secret.reveal().encode(), place.aad(self._active)
        )
        return f"v1:{self._active}:{base64.urlsafe_b64encode(nonce + sealed).decode()}"

    def open(self, sealed: str, place: Place) -> Secret:
        """Decrypt a value that :meth:`seal` created for the same *place*.

        :raises SecretUnreadableError: for an unknown key, a changed ciphertext, or another place.
        """
        try:
            version, key_id, data = sealed.split(":", 2)
            raw = base64.urlsafe_b64decode(data.encode())
        except (ValueError, binascii.Error) as error:
            raise SecretUnreadableError("not a sealed value") from error
        key = self._keys.get(key_id)
        if version != "v1" or key is None:
            raise SecretUnreadableError(
                f"sealed with the key {key_id!r}, which is not among the configured keys"
            )
        try:
            return Secret(AESGCM(key).decrypt(raw[:_NONCE], raw[_NONCE:], place.aad(key_id)).decode())
        except (InvalidTag, ValueError) as error:
            raise SecretUnreadableError("the sealed value was changed, or belongs to another row") from error

    def fingerprint(self, secret: Secret) -> str:
        """Return 16 hex digits, equal for equal secrets, that do not reveal the secret."""
        return hmac.new(self._index, secret.reveal().encode(), hashlib.sha256).hexdigest()[:16]

    def sign(self, purpose: str, *values: int | str) -> str:
        """Return a signature of *values* for a link, 43 characters; it differs for each *purpose*."""
        return _signature(self._links[0], purpose, values)

    def is_signed(self, signature: str, purpose: str, *values: int | str) -> bool:
        """Return whether :meth:`sign` created *signature* with any of the keys."""
        given = signature.encode("utf-8", "replace")
        found = [hmac.compare_digest(_signature(key, purpose, values).encode(), given) for key in self._links]
        return any(found)


def _derive(key: bytes, purpose: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose).derive(key)


def _signature(key: bytes, purpose: str, values: tuple[int | str, ...]) -> str:
    signed = "\0".join([purpose, *map(str, values)]).encode()
    digest = hmac.new(key, signed, hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def parse_keys(text: str) -> dict[str, bytes]:
    """Parse ``id:base64,id:base64`` into 32-byte keys in the same order.

    :raises ConfigError: if the text is invalid, without any part of a key.
    """
    keys: dict[str, bytes] = {}
    for part in filter(None, (piece.strip() for piece in text.replace("\n", ",").split(","))):
        key_id, colon, data = part.partition(":")
        if not colon or not key_id.isalnum() or len(key_id) > 16:
            raise ConfigError("LOBBY_SECRET_KEYS: each key is `id:base64`, the id letters and digits")
        try:
            key = base64.b64decode(data.replace("-", "+").replace("_", "/"), validate=True)
        except binascii.Error as error:
            raise ConfigError(f"LOBBY_SECRET_KEYS: the key {key_id!r} is not base64") from error
        if len(key) != 32:
            raise ConfigError(f"LOBBY_SECRET_KEYS: the key {key_id!r} must be 32 bytes long")
        if key_id in keys:
            raise ConfigError(f"LOBBY_SECRET_KEYS: the key {key_id!r} appears twice")
        keys[key_id] = key
    return keys


def private_file(path: Path, make: str) -> str:
    """Return the content of *path*, created with mode 0600 and the text *make* if it is missing.

    The file is created atomically, even if processes die or several create it at once.

    :raises ConfigError: if it is empty.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".making-")
        try:
            with os.fdopen(descriptor, "w") as file:
                file.write(make + "\n")
                file.flush()
                os.fsync(file.fileno())
            with suppress(FileExistsError):
                os.link(temporary, path)
        finally:
            os.unlink(temporary)
    found = path.read_text().strip()
    if not found:
        raise ConfigError(f"{path} is empty: put your copy of it back")
    return found


def load_keyring(config: Config) -> Keyring:
    """Return the keyring of *config*; at the first start of an installation without keys, create one."""
    if config.secret_keys:
        return Keyring(parse_keys(config.secret_keys))
    path = keys_file(config)
    assert path is not None
    if not config.secret_keys_file:
        private_file(path, f"k1:{base64.b64encode(os.urandom(32)).decode()}")
    return _from_file(path)


def keys_file(config: Config) -> Path | None:
    """Return the file with the keys; None if the environment contains them."""
    if config.secret_keys:
        return None
    return Path(config.secret_keys_file) if config.secret_keys_file else config.data / "secret.keys"


def _from_file(path: Path) -> Keyring:
    try:
        stamp = _stamp(path)
        return Keyring(parse_keys(path.read_text()), path, stamp)
    except OSError as error:
        raise ConfigError(f"the file of secret keys, {path}, cannot be read: {error.strerror}") from error


def _stamp(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_mtime_ns, found.st_ino


def load_session_key(config: Config) -> str:
    """Return the key that signs cookies; at the first start without one, create it."""
    if config.session_key:
        return config.session_key
    return private_file(config.data / "session.key", base64.b64encode(os.urandom(32)).decode())


_keyring: Keyring | None = None


def use(keyring: Keyring) -> None:
    """Set the keyring of this process."""
    global _keyring  # noqa: PLW0603 - one keyring per process
    _keyring = keyring


def is_ready() -> bool:
    """Return whether this process has keys."""
    return _keyring is not None


def keyring() -> Keyring:
    """Return the keyring of this process. Keys are read again when their file changes.

    :raises RuntimeError: before :func:`use`.
    """
    current = _keyring
    if current is None:
        raise RuntimeError("no keyring: host.core.secrets.use() was not called")
    if current.path is None:
        return current
    try:
        if _stamp(current.path) == current.stamp:
            return current
        fresh = _from_file(current.path)
    except (OSError, ConfigError) as error:
        log.error("the keys that are known go on, because their file cannot be used now: %s", error)
        return current
    use(fresh)
    return fresh
