"""Find the users of a thing, for the dialog that asks before it is deleted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from flask import g

from host.core import db
from host.features.use import Use
from host.features.using import gathered
from host.web.request_helpers import maybe_user


def uses_of(kind: str) -> Mapping[int, Sequence[Use]]:
    """Return what uses things of a kind in the workspace of this request, by id; read once per request.

    :param kind: as in :func:`host.features.hookspecs.uses`.
    """
    kept: dict[str, dict[int, list[Use]]] = g.setdefault("lobby_uses", {})
    if kind not in kept:
        user = maybe_user()
        with db.read() as session:
            kept[kind] = gathered(session, g.workspace.id, kind, None if user is None else user.id)
    return kept[kind]
