"""Encrypt a push for one device: RFC 8291, with the encoding of RFC 8188.

pywebpush does the same with ten more packages, among them a second HTTP client that would pass by the guard.
"""

from __future__ import annotations

import base64
import os

from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDH,
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

RECORD = 4096
"""Bytes that every push service accepts."""
LONGEST = RECORD - 103
"""Bytes of the longest text: without the header of 86 bytes, the delimiter and the tag."""
PADDED_TO = 512
"""Texts are padded to a multiple of this, so that a push service does not learn how long they are."""
POINT = 65
AUTH = 16


def encrypt(
    text: bytes,
    device: bytes,
    auth: bytes,
    *,
    padded_to: int = PADDED_TO,
    key: EllipticCurvePrivateKey | None = None,
    salt: bytes | None = None,
) -> bytes:
    """Return the body of a push.

    :param device: the public key of the device, an uncompressed point; *auth*: its authentication secret.
    :param key: the key pair of this push; only tests give one, or a *salt*.
    :raises ValueError: if *text* is longer than :data:`LONGEST`, or *device* is not a point of the curve.
    """
    if len(text) > LONGEST:
        raise ValueError("a push must be shorter")
    key = key or generate_private_key(SECP256R1())
    salt = salt or os.urandom(16)
    own = point_of(key.public_key())
    shared = key.exchange(ECDH(), public_key(device))
    secret = _derived(shared, auth, b"WebPush: info\0" + device + own, 32)
    content_key = _derived(secret, salt, b"Content-Encoding: aes128gcm\0", 16)
    nonce = _derived(secret, salt, b"Content-Encoding: nonce\0", 12)
    length = min(-(-len(text) // padded_to) * padded_to, LONGEST)
    padded = text + b"\x02" + bytes(max(0, length - len(text)))
    header = salt + RECORD.to_bytes(4) + bytes([len(own)]) + own
    return header + AESGCM(content_key).encrypt(nonce, padded, None)


def _derived(secret: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    return HKDF(algorithm=SHA256(), length=length, salt=salt, info=info).derive(secret)


def public_key(point: bytes) -> EllipticCurvePublicKey:
    """Return the key of an uncompressed point.

    :raises ValueError: if it is not one of the curve.
    """
    if len(point) != POINT:
        raise ValueError("not an uncompressed point")
    return EllipticCurvePublicKey.from_encoded_point(SECP256R1(), point)


def point_of(key: EllipticCurvePublicKey) -> bytes:
    """Return *key* as an uncompressed point."""
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def decoded(text: str) -> bytes:
    """Return bytes from base64url, with or without padding.

    :raises ValueError: if *text* contains anything else.
    """
    return base64.b64decode(
        text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4), altchars=b"-_", validate=True
    )


def encoded(value: bytes) -> str:
    """Return *value* in base64url without padding."""
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()
