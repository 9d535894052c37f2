"""The secret of a sequence, which signs what its steps post to programs."""

from __future__ import annotations

import uuid

from sqlalchemy.orm import Session

from host.core import secrets
from host.core.secrets import Place, Secret
from host.programs import signing
from host.sequences.models import Sequence, SequenceSecret
from host.users.actor import UnitOfWork


def ensure(session: Session, sequence: Sequence) -> None:
    """Give a sequence a secret if it has none."""
    if session.get(SequenceSecret, sequence.id) is None:
        _put(session, sequence)


def replace(work: UnitOfWork, sequence: Sequence) -> Secret:
    """Give a locked sequence a new secret and return it; it is never shown again."""
    secret = _put(work.session, sequence)
    work.audit("sequence.secret", sequence.name)
    return secret


def read(session: Session, sequence_id: int) -> Secret | None:
    """Return the secret of a sequence; None if it has none.

    :raises SecretUnreadableError: if it cannot be read.
    """
    row = session.get(SequenceSecret, sequence_id)
    return None if row is None else secrets.keyring().open(row.secret, _place(row))


def _put(session: Session, sequence: Sequence) -> Secret:
    row = session.get(SequenceSecret, sequence.id)
    if row is None:
        row = SequenceSecret(
            sequence_id=sequence.id, workspace_id=sequence.workspace_id, uuid=str(uuid.uuid4())
        )
        session.add(row)
    secret = signing.new_secret()
    row.secret = secrets.keyring().seal(secret, _place(row))
    session.flush()
    return secret


def _place(row: SequenceSecret) -> Place:
    return Place("sequence_secrets", "secret", row.workspace_id, row.uuid)
