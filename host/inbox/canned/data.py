"""Stored canned replies and macros when their owner leaves or their workspace is deleted."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import db
from host.features.hookspecs import hookimpl
from host.features.use import KEYS, Use, named
from host.inbox.canned import replies
from host.inbox.canned.models import CannedFile, CannedReply, Macro
from host.users import leaving
from host.web.languages import gettext as _


@hookimpl
def clean_up(most: int) -> None:
    """Remove the canned replies and macros of people who left the workspace."""
    while db.write(remove_departed, most):
        pass


def remove_departed(session: Session, most: int) -> int:
    """Delete up to *most* canned replies and macros whose owner left; return the number deleted."""
    ids = leaving.left_behind(session, CannedReply, most)
    if ids:
        files = replies.files_of(session, ids)
        replies.remove_files(session, [file for some in files.values() for file in some])
        session.execute(sa.delete(CannedReply).where(CannedReply.id.in_(ids)))
    macros = leaving.left_behind(session, Macro, most)
    if macros:
        session.execute(sa.delete(Macro).where(Macro.id.in_(macros)))
    return len(ids) + len(macros)


@hookimpl
def remove_workspace(session: Session, workspace_id: int, most: int) -> bool | None:
    """Remove the files of canned replies. The replies and macros are deleted with the workspace."""
    query = sa.select(CannedFile).join(CannedReply, CannedReply.id == CannedFile.canned_id)
    files = session.scalars(query.where(CannedReply.workspace_id == workspace_id).limit(most)).all()
    replies.remove_files(session, files)
    return bool(files) or None


@hookimpl
def own_things(session: Session, user_id: int, workspace_id: int) -> int:
    """Return the number of a person's personal canned replies and macros."""
    return sum(leaving.count_own(session, kind, user_id, workspace_id) for kind in (CannedReply, Macro))


@hookimpl
def uses(session: Session, workspace_id: int, kind: str, user_id: int | None) -> dict[int, list[Use]]:
    """Return the macros with steps that refer to things of a kind. Personal ones of others have no name."""
    found: dict[int, list[Use]] = {}
    if kind not in KEYS:
        return found
    query = sa.select(Macro.id, Macro.name, Macro.owner_id, Macro.steps)
    for id_, name, owner, steps in session.execute(
        query.where(Macro.workspace_id == workspace_id).order_by(Macro.name, Macro.id)
    ):
        own = owner is None or owner == user_id
        use = (
            Use(_("Macro"), name, "", ("macros.macro", {"macro_id": id_}), "answer")
            if own
            else Use(_("Someone’s personal macro"), "")
        )
        for one in named(list(steps), kind):
            found.setdefault(one, []).append(use)
    return found
