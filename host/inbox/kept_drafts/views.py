"""The views with which a browser reads and saves the draft of a conversation."""

from __future__ import annotations

from typing import Any

import msgspec
from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue

from host.core import clock, db
from host.core.errors import ConflictError, InvalidError, LobbyError
from host.inbox.conversations import get_conversation
from host.inbox.kept_drafts import content, drafts
from host.inbox.kept_drafts.drafts import SavedDraft
from host.web.request_helpers import (
    Permission,
    current_user,
    form_number,
    passive,
    seen_accounts,
    workspace_view,
)

bp = Blueprint("kept_drafts", __name__, template_folder="templates")

DRAFT = "/w/<int:workspace_id>/inbox/<int:conversation_id>/draft"


def _said(kept: SavedDraft) -> dict[str, Any]:
    return {
        "version": kept.version,
        "content": msgspec.to_builtins(kept.content),
        "erased": kept.erased,
    }


@bp.get(DRAFT)
@passive
@workspace_view(Permission.READ)
def kept(workspace_id: int, conversation_id: int) -> ResponseReturnValue:
    """Return the person's draft, and colleagues' drafts."""
    user_id = current_user().id
    with db.read() as session:
        get_conversation(session, workspace_id, conversation_id, accounts=seen_accounts())
        own = drafts.read(session, user_id, conversation_id)
        others = drafts.of_colleagues(session, workspace_id, conversation_id, user_id)
    return jsonify(
        **_said(own), colleagues=[{"id": one.user_id, "name": one.name, "text": one.text} for one in others]
    )


@bp.post(DRAFT)
@workspace_view(Permission.ANSWER)
def keep(workspace_id: int, conversation_id: int) -> ResponseReturnValue:
    """Save the person's draft.

    If another device has saved a newer version, or the customer was erased since the draft was begun, return
    what is stored with status 409 and save nothing.
    """
    try:
        found = content.check(request.form.get("content", ""))
        version = form_number("version")
        if version is None or not 0 <= version < 2**53:
            raise InvalidError()
    except LobbyError:
        with db.read() as session:
            get_conversation(session, workspace_id, conversation_id, accounts=seen_accounts())
        raise
    kept_: SavedDraft = db.write(
        drafts.save,
        workspace_id=workspace_id,
        conversation_id=conversation_id,
        accounts=seen_accounts(),
        user_id=current_user().id,
        version=version,
        content=found,
        now=clock.now(),
        erased=request.form.get("erased"),
    )
    if not kept_.newer:
        return jsonify(version=kept_.version)
    return jsonify(**_said(kept_), error={"code": ConflictError.code}), ConflictError.status
