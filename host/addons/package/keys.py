"""Ed25519 keys of publishers: their text form, and which of them may sign."""

from __future__ import annotations

import base64
import binascii
import hashlib

import msgspec
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

WORD = "ed25519"
_KEY_BYTES, _SIGNATURE_BYTES = 32, 64

# Points of small order: anyone can forge a signature for such a key. The sign bit is ignored.
_WEAK = frozenset(
    bytes.fromhex(text)
    for text in (
        "00" * 32,
        "01" + "00" * 31,
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "ec" + "ff" * 30 + "7f",
        "ed" + "ff" * 30 + "7f",
        "ee" + "ff" * 30 + "7f",
    )
)
_FIELD = 2**255 - 19


class KeyFormatError(ValueError):
    """A text is not a valid key or signature. The message is one sentence."""


class PublicKey(msgspec.Struct, frozen=True):
    """A publisher's public key. Two keys are equal exactly if their bytes are."""

    raw: bytes

    @property
    def id(self) -> str:
        """The id of the key: the SHA-256 of its bytes, in hex."""
        return hashlib.sha256(self.raw).hexdigest()

    @property
    def text(self) -> str:
        return base64.b64encode(self.raw).decode()

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """Return whether *signature* is this key's signature of *message*."""
        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, message)
        except (InvalidSignature, UnsupportedAlgorithm, ValueError):
            return False
        return True


def fingerprint(key_id: str) -> str:
    """Return *key_id* in the form people compare: its first 32 digits in groups of four."""
    return " ".join(key_id[at : at + 4] for at in range(0, 32, 4))


def exact_base64(text: object, size: int) -> bytes:
    """Return the *size* bytes of *text*, which must be in canonical base64.

    :raises KeyFormatError: for anything else.
    """
    try:
        data = base64.b64decode(text, validate=True) if isinstance(text, str) else b""
    except (binascii.Error, ValueError):
        data = b""
    if len(data) != size or base64.b64encode(data).decode() != text:
        raise KeyFormatError(f"It is not the base64 of {size} bytes.")
    return data


def public_key(text: object) -> PublicKey:
    """Return the key written as *text*.

    :raises KeyFormatError: if it is not a key, or a weak one.
    """
    raw = exact_base64(text, _KEY_BYTES)
    plain = raw[:31] + bytes([raw[31] & 0x7F])
    if plain in _WEAK or int.from_bytes(plain, "little") >= _FIELD:
        raise KeyFormatError("It is a key that anybody could sign with.")
    return PublicKey(raw)


def signature(text: object) -> bytes:
    """Return the signature written as *text*.

    :raises KeyFormatError: if it is not a signature.
    """
    return exact_base64(text, _SIGNATURE_BYTES)


class PrivateKey(msgspec.Struct, frozen=True):
    """A publisher's private key. Never leaves the publisher's machine."""

    key: Ed25519PrivateKey

    @property
    def public(self) -> PublicKey:
        return PublicKey(self.key.public_key().public_bytes_raw())

    def sign(self, message: bytes) -> bytes:
        return self.key.sign(message)

    def pem(self, passphrase: bytes = b"") -> bytes:
        """Return the key as a PKCS #8 file, encrypted if there is a *passphrase*."""
        how: serialization.KeySerializationEncryption = serialization.NoEncryption()
        if passphrase:
            how = serialization.BestAvailableEncryption(passphrase)
        return self.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, how)


def new_private_key() -> PrivateKey:
    """Create a key."""
    return PrivateKey(Ed25519PrivateKey.generate())


def is_encrypted(pem: bytes) -> bool:
    """Return whether the key file needs a passphrase."""
    return b"ENCRYPTED PRIVATE KEY" in pem


def private_key(pem: bytes, passphrase: bytes = b"") -> PrivateKey:
    """Return the key in the PKCS #8 file *pem*.

    :raises KeyFormatError: if it is not an Ed25519 key, or the passphrase is wrong.
    """
    try:
        key = serialization.load_pem_private_key(pem, passphrase or None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise KeyFormatError("That is no key, or not its passphrase.") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyFormatError("That is a key of another kind than Ed25519.")
    return PrivateKey(key)
