"""Sign addons and verify signatures: a list of files with hashes, signed over exactly its bytes.

``FILES.json`` lists the files of the zip. ``SIGNATURE.json`` holds an Ed25519 signature over the word
``lobby-addon-v1``, a zero byte, and the SHA-256 of the bytes of ``FILES.json``: a check doesn't need to
serialise anything again.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from typing import Any

import msgspec

from host.addons.package import keys
from host.addons.package.keys import KeyFormatError, PrivateKey, PublicKey
from host.addons.package.manifest import Manifest
from host.sdk import strictjson

FILES = "FILES.json"
SIGNATURE = "SIGNATURE.json"
MAX_FILES = 1024 * 1024
MAX_SIGNATURE = 4096

_DOMAIN = b"lobby-addon-v1\0"


class SignatureError(Exception):
    """The signature is not valid. The message is one sentence."""


class FileEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file in ``FILES.json``."""

    sha256: str
    size: int


class FileList(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``FILES.json``. ``id``, ``version`` and ``host`` repeat the manifest's."""

    id: str
    version: str
    host: str
    files: Mapping[str, FileEntry]


class SignatureFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``SIGNATURE.json``. It contains the public key, so that a key that is not trusted yet can be shown."""

    v: int
    alg: str
    key_id: str
    public_key: str
    sig: str


def message(files: bytes) -> bytes:
    """Return the bytes to sign for the ``FILES.json`` with the bytes *files*."""
    return _DOMAIN + hashlib.sha256(files).digest()


def sign(manifest: Manifest, contents: Mapping[str, bytes], key: PrivateKey) -> dict[str, bytes]:
    """Return the two files that sign *contents* (path -> bytes); they are deterministic for a key."""
    listed = {
        name: {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
        for name, data in sorted(contents.items())
        if name not in (FILES, SIGNATURE)
    }
    files = _json({"id": manifest.slug, "version": manifest.version, "host": manifest.host, "files": listed})
    signature = {
        "v": 1,
        "alg": "ed25519",
        "key_id": key.public.id,
        "public_key": key.public.text,
        "sig": base64.b64encode(key.sign(message(files))).decode(),
    }
    return {FILES: files, SIGNATURE: _json(signature)}


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=1, ensure_ascii=True) + "\n").encode()


def verify(
    manifest: Manifest,
    files: Mapping[str, str],
    sizes: Mapping[str, int],
    listed: bytes | None,
    signed: bytes | None,
) -> PublicKey | None:
    """Return the key the addon is signed with, or None if it is not signed. Checks no trust.

    :param files: path -> SHA-256 of everything in the zip, and *sizes* path -> bytes.
    :param listed: the bytes of ``FILES.json``, *signed* those of ``SIGNATURE.json``; None for no such file.
    :raises SignatureError: if there is a signature, but not of exactly these files by that key.
    """
    if listed is None and signed is None:
        return None
    if listed is None or signed is None:
        raise SignatureError(f"{SIGNATURE if signed is None else FILES} is missing.")
    signature = _decode(SIGNATURE, signed, SignatureFile)
    key = _key(signature, listed)
    found = _decode(FILES, listed, FileList)
    for name, own in (("id", manifest.slug), ("version", manifest.version), ("host", manifest.host)):
        if getattr(found, name) != own:
            raise SignatureError(f"{FILES} was signed for another {name} than addon.toml names.")
    names = set(files) - {FILES, SIGNATURE}
    if not found.files:
        raise SignatureError(f"{FILES} lists no file.")
    for name in sorted(names - set(found.files)):
        raise SignatureError(f"{name} is not among the files that were signed.")
    for name in sorted(set(found.files) - names):
        raise SignatureError(f"{name} was signed and is missing.")
    for name in sorted(names):
        if (found.files[name].sha256, found.files[name].size) != (files[name], sizes[name]):
            raise SignatureError(f"{name} is not the file that was signed.")
    return key


def _key(signature: SignatureFile, listed: bytes) -> PublicKey:
    if (signature.v, signature.alg) != (1, "ed25519"):
        raise SignatureError("It is signed in a way this host does not know.")
    try:
        key = keys.public_key(signature.public_key)
        proof = keys.signature(signature.sig)
    except KeyFormatError as problem:
        raise SignatureError(f"{SIGNATURE} cannot be used. {problem}") from None
    if key.id != signature.key_id:
        raise SignatureError(f"{SIGNATURE} names another key than the one it holds.")
    if not key.verifies(proof, message(listed)):
        raise SignatureError("The signature does not belong to these files.")
    return key


def _decode(name: str, data: bytes, kind: type[Any]) -> Any:
    try:
        return strictjson.convert(strictjson.loads(data), kind)
    except (ValueError, msgspec.ValidationError):
        raise SignatureError(f"{name} is not what it has to be.") from None
