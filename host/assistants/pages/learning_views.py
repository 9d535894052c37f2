"""Pages for unanswered questions, and for answers of the team that could become entries."""

from __future__ import annotations

import re
import threading
import unicodedata
from collections import OrderedDict
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from host.assistants import assistants
from host.assistants.knowledge import entries, learning
from host.assistants.knowledge.entries import EntryInput
from host.assistants.models import Assistant, EntryKind
from host.assistants.words import said
from host.channels.directory import current_directory
from host.core import clock, db
from host.core.errors import LobbyError
from host.inbox.canned import replies
from host.inbox.canned.replies import Viewer
from host.live.following import follows
from host.models.channels import AccountState, ChannelAccount
from host.users.actor import UnitOfWork
from host.web.languages import gettext as _
from host.web.request_helpers import (
    Permission,
    body_limit,
    flash_bad,
    flash_good,
    form_number,
    seen_accounts,
    workspace_view,
    write,
)

bp = Blueprint("assistant_learning", __name__, template_folder="../templates")

ONE = "/w/<int:workspace_id>/assistants/<int:assistant_id>"
FORM_BYTES = 2 * 1024 * 1024
SHOWN = 100
"""Groups of questions on the page."""
FRESH_SECONDS = 600.0
"""How long the number of suggested entries on the knowledge page is cached."""
_MOST_KEPT = 64
_counted: OrderedDict[Any, tuple[float, int]] = OrderedDict()
_counted_lock = threading.Lock()


# ---- asked and not answered ----------------------------------------------------------------------------


@bp.get(f"{ONE}/not-answered")
@workspace_view(Permission.ACCOUNTS)
@follows
def gaps(workspace_id: int, assistant_id: int) -> ResponseReturnValue:
    """List unanswered questions of the last 30 days in groups, largest first."""
    now = clock.now()
    with db.read() as session:
        row = assistants.get(session, workspace_id, assistant_id)
        found = learning.gaps(session, assistant_id, now - learning.LATELY, seen_accounts())
    return render_template(
        "assistants/not_answered.html",
        assistant=row,
        tab="gaps",
        gaps=found[:SHOWN],
        groups=len(found),
        questions=sum(one.count for one in found),
        said=said,
    )


# ---- past answers --------------------------------------------------------------------------------------


@bp.get(f"{ONE}/past-answers")
@workspace_view(Permission.ACCOUNTS)
@follows
def past(workspace_id: int, assistant_id: int) -> ResponseReturnValue:
    """List answers the team gave repeatedly, each as a suggested entry."""
    return _past(workspace_id, assistant_id)


def _past(
    workspace_id: int, assistant_id: int, problem: LobbyError | None = None, given: EntryInput | None = None
) -> ResponseReturnValue:
    """Return the page; *given* is a form that could not be saved, and comes first."""
    now = clock.now()
    with db.read() as session:
        row = assistants.get(session, workspace_id, assistant_id)
        found = _drafts(session, row, now)
        breakers = _with_ice_breakers(session, row)
    page = render_template(
        "assistants/past_answers.html",
        assistant=row,
        tab="past",
        drafts=[one for one in found if not one.dismissed],
        dismissed=[one for one in found if one.dismissed],
        given=given,
        problem=problem,
        breakers=breakers,
        least=learning.LEAST_PAIRS,
        longest_title=entries.LONGEST_TITLE,
    )
    return page, 200 if problem is None else problem.status


def _drafts(session: Session, row: Assistant, now: datetime) -> list[learning.Draft]:
    return learning.past_answers_for(session, row, now, accounts=seen_accounts())


def waiting(session: Session, row: Assistant, now: datetime) -> int:
    """Return the number of suggested entries, counted again after some minutes or a change."""
    dismissed = learning.dismissals(session, row.id)
    key = (str(db.current().url), row.id, row.created_at, row.knowledge_version, dismissed, seen_accounts())
    with _counted_lock:
        kept = _counted.get(key)
    if kept is not None and clock.monotonic() - kept[0] < FRESH_SECONDS:
        return kept[1]
    number = sum(not one.dismissed for one in _drafts(session, row, now))
    with _counted_lock:
        _counted[key] = (clock.monotonic(), number)
        while len(_counted) > _MOST_KEPT:
            _counted.popitem(last=False)
    return number


def _with_ice_breakers(session: Session, row: Assistant) -> list[tuple[int, str]]:
    """Return id and name of the assistant's connected accounts whose channel supports ice breakers."""
    directory = current_directory()
    query = (
        sa.select(ChannelAccount)
        .where(
            ChannelAccount.id.in_(learning.accounts_of(session, row, seen_accounts())),
            ChannelAccount.state != AccountState.DISCONNECTED,
        )
        .order_by(ChannelAccount.name, ChannelAccount.id)
    )
    found = []
    for account in session.scalars(query):
        adapter = directory.adapter(account.channel)
        if adapter is not None and adapter.capabilities.ice_breakers is not None:
            found.append((account.id, account.handle or account.name))
    return found


@bp.post(f"{ONE}/past-answers")
@body_limit(FORM_BYTES)
@workspace_view(Permission.ACCOUNTS)
def accept(workspace_id: int, assistant_id: int) -> ResponseReturnValue:
    """Create an entry or a canned reply from the answer in the form."""
    form = request.form
    wanted = EntryInput(
        title=form.get("title", ""),
        text=form.get("text", ""),
        questions=form.get("questions", "").splitlines(),
        kind=EntryKind.PAST,
        origin=form.get("by", ""),
    )
    as_reply = form.get("as", "") == "canned"
    try:
        with db.read() as session:
            assistants.get(session, workspace_id, assistant_id)
        if as_reply:
            title = write(_as_canned_reply, wanted)
        else:
            title = write(entries.add, assistant_id, wanted).title
    except LobbyError as error:
        if isinstance(error, assistants.AssistantNotFoundError):
            raise
        return _past(workspace_id, assistant_id, error, wanted)
    if as_reply:
        flash_good(_("The canned reply /%(shortcut)s is saved.", shortcut=title))
    else:
        flash_good(_("Added to the assistant's knowledge: %(title)s", title=title))
    return redirect(url_for(".past", workspace_id=workspace_id, assistant_id=assistant_id), 303)


@bp.post(f"{ONE}/past-answers/dismiss")
@body_limit(FORM_BYTES)
@workspace_view(Permission.ACCOUNTS)
def dismiss(workspace_id: int, assistant_id: int) -> ResponseReturnValue:
    """Stop suggesting an answer, as it was offered."""
    try:
        write(learning.dismiss, assistant_id, request.form.get("text", ""))
    except learning.DismissedError as error:
        return _past(workspace_id, assistant_id, error)
    flash_good(_("The answer was dismissed. You can restore it below."))
    return redirect(url_for(".past", workspace_id=workspace_id, assistant_id=assistant_id), 303)


@bp.post(f"{ONE}/past-answers/bring-back")
@workspace_view(Permission.ACCOUNTS)
def bring_back(workspace_id: int, assistant_id: int) -> ResponseReturnValue:
    """Suggest a dismissed answer again."""
    try:
        write(learning.bring_back, assistant_id, form_number("dismissed") or 0)
        flash_good(_("The answer was restored."))
    except learning.NotDismissedError as error:
        flash_bad(str(error.sentence))
    return redirect(url_for(".past", workspace_id=workspace_id, assistant_id=assistant_id), 303)


def _as_canned_reply(work: UnitOfWork, wanted: EntryInput) -> str:
    """Create a canned reply for everybody; return its shortcut."""
    kept = entries.checked(wanted)
    row = replies.create(
        work,
        replies.CannedReplyInput(
            shortcut=shortcut(kept.title),
            title=kept.title[: replies.LONGEST_TITLE],
            texts={replies.ANY: kept.text},
        ),
        Viewer(work.actor.id, keeps=True),
    )
    return row.shortcut


def shortcut(title: str) -> str:
    """Return a shortcut for a canned reply with that title: its words with hyphens, as many as fit."""
    words = re.findall(r"\w+", unicodedata.normalize("NFC", title).lower())
    found = ""
    for word in words:
        longer = f"{found}-{word}" if found else word[: replies.LONGEST_SHORTCUT]
        if len(longer) > replies.LONGEST_SHORTCUT:
            break
        found = longer
    return found or "answer"
