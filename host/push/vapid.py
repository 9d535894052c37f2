"""The key pair with which this desk identifies itself to push services: VAPID, RFC 8292."""

from __future__ import annotations

import uuid
from datetime import timedelta
from urllib.parse import urlsplit

import msgspec
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc import jwt
from joserfc.jwk import ECKey
from sqlalchemy.orm import Session

from host.core import clock, db, secrets
from host.core.secrets import Place, Secret
from host.push.encrypting import encoded, point_of
from host.push.models import PushKey

ONLY = 1
"""The id of the only row."""
_keys = PushKey.metadata.tables["push_keys"]
TOKEN_LASTS = timedelta(hours=12)
"""Validity of a token; push services refuse those that are valid for more than a day."""


class KeyPair(msgspec.Struct, frozen=True):
    """The key pair of this desk.

    :param public: in base64url, as browsers want it.
    """

    public: str
    private: Secret


def public_key(session: Session) -> str:
    """Return the public key of this desk; create the key pair if there is none. Runs inside a write."""
    found = session.scalar(sa.select(PushKey.public).where(PushKey.id == ONLY))
    if found is not None:
        return found
    key = generate_private_key(SECP256R1())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    own = str(uuid.uuid4())
    row = {
        "id": ONLY,
        "uuid": own,
        "public": encoded(point_of(key.public_key())),
        "private": secrets.keyring().seal(Secret(pem), _place(own)),
        "created_at": clock.now(),
    }
    session.execute(db.insert_ignore(_keys, session.get_bind().dialect.name), row)
    return session.scalars(sa.select(PushKey.public).where(PushKey.id == ONLY)).one()


def key_pair(session: Session) -> KeyPair | None:
    """Return the key pair of this desk; None if it has none.

    :raises SecretUnreadableError: if the private key cannot be read.
    """
    row = session.get(PushKey, ONLY)
    if row is None:
        return None
    return KeyPair(row.public, secrets.keyring().open(row.private, _place(row.uuid)))


def _place(own: str) -> Place:
    return Place("push_keys", "private", 0, own)


def authorization(pair: KeyPair, endpoint: str, contact: str) -> str:
    """Return the ``Authorization`` header for a push to *endpoint*.

    :param contact: an address at which its operator reaches the one of this desk.
    """
    parts = urlsplit(endpoint)
    claims = {
        "aud": f"{parts.scheme}://{parts.netloc}",
        "exp": int((clock.now() + TOKEN_LASTS).timestamp()),
        "sub": contact,
    }
    token = jwt.encode({"typ": "JWT", "alg": "ES256"}, claims, ECKey.import_key(pair.private.reveal()))
    return f"vapid t={token}, k={pair.public}"
