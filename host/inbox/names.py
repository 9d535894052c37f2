"""Names that are unique in a workspace: of labels, teams, and attributes of contacts.

Names are compared ignoring case, independent of the database's collation.
"""

from __future__ import annotations

import hashlib
import unicodedata
from typing import TypeVar

import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from host.core.cleaning import clean
from host.core.errors import LobbyError
from host.inbox.contacts.models import ContactAttribute
from host.inbox.labels.models import Label
from host.inbox.teams.models import Team

R = TypeVar("R", ContactAttribute, Label, Team)

LONGEST = 40
"""Maximum characters of a name."""
TOO_LONG = _l("The name has more than 40 characters. Nothing was saved.")


def checked(name: str, empty: LobbyError, long: LobbyError | None = None, *, longest: int = LONGEST) -> str:
    """Return a name in its stored form: on one line, without invisible characters.

    :raises: *empty* if nothing is left; *long*, or *empty* without it, if more than *longest* characters are.
    """
    seen = "".join(one for one in clean(name) if unicodedata.category(one) != "Cc" or one.isspace())
    # Directional marks would also reorder the words around it.
    seen = " ".join("".join(one for one in seen if one not in "\u202a\u202b\u202c\u202d\u202e").split())
    if not any(unicodedata.category(one)[0] not in "CZM" for one in seen):
        raise empty
    if len(seen) > longest:
        raise long or empty
    return seen


def name_key(name: str) -> str:
    """Return the key that equal names share: the hexadecimal SHA-256 of the folded name."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    return hashlib.sha256(" ".join(folded.split()).encode()).hexdigest()


def find(session: Session, kind: type[R], workspace_id: int, id_: int, *, lock: bool) -> R | None:
    """Return a named row of the workspace, if there is one.

    :param lock: whether to lock it until the write ends.
    """
    query = sa.select(kind).where(kind.id == id_, kind.workspace_id == workspace_id)
    if lock:
        query = query.with_for_update().execution_options(populate_existing=True)
    return session.scalars(query).one_or_none()


def save(session: Session, row: ContactAttribute | Label | Team, taken: LobbyError) -> None:
    """Write *row*, whose name must be unique among its kind.

    :raises: *taken* if another row has the name, even one created concurrently.
    """
    row.name_key = name_key(row.name)
    kind = type(row)
    same = sa.select(kind.id).where(
        kind.workspace_id == row.workspace_id, kind.name_key == row.name_key, kind.id != (row.id or 0)
    )
    with session.no_autoflush:
        if session.scalar(same) is not None:
            raise taken
    try:
        with session.begin_nested():
            session.add(row)
            session.flush()
    except sa.exc.IntegrityError:
        raise taken from None
