"""Settings -> Channels -> an account -> Catch up: sync the history at the provider."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from flask import redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from host.channels import accounts
from host.channels.pages import looks
from host.channels.pages.blueprint import bp
from host.channels.pages.message_views import BELOW, settable
from host.core.db import db
from host.core.errors import NotFoundError
from host.delivery import second_look
from host.live.events import newest_id
from host.models.inbox import OF_PERSON, ContactIdentity, Conversation
from host.models.queue import CatchUp, CatchUpState, CatchUpThread
from host.sdk.channel import ChannelAdapter
from host.web.languages import gettext as _
from host.web.request_helpers import Permission, flash_good, workspace_view, write

SHOWN = 100


class ThreadRow(msgspec.Struct, frozen=True):
    """A thread at the provider in the list.

    :param conversation_id: None if none of its messages could be read.
    """

    name: str
    conversation_id: int | None
    updated_at: datetime | None
    imported: int
    untold: int
    problem: dict[str, Any] | None


class CatchUpReport(msgspec.Struct, frozen=True):
    """Progress and results of catching up.

    :param new: threads that were missing; *more_new* of them are not listed.
    :param filled: conversations that lacked messages.
    """

    state: str
    waiting: dict[str, Any] | None
    running: bool
    started_at: datetime
    finished_at: datetime | None
    threads: int
    read: int
    imported: int
    untold: int
    new: Sequence[ThreadRow]
    filled: Sequence[ThreadRow]
    failed: Sequence[ThreadRow]
    more: int

    @property
    def percent(self) -> int:
        """The percentage of known threads already read."""
        return 100 * self.read // self.threads if self.threads else 0


def report(session: Session, account_id: int, adapter: ChannelAdapter) -> CatchUpReport | None:
    """Return the progress of catching up on an account, or None if it never started."""
    run = session.get(CatchUp, account_id)
    if run is None:
        return None
    threads = CatchUpThread
    mine = threads.account_id == account_id
    total, read, imported, untold = session.execute(
        sa.select(
            sa.func.count(),
            sa.func.count(sa.case((threads.state != CatchUpState.READING, 1))),
            sa.func.coalesce(sa.func.sum(threads.imported), 0),
            sa.func.coalesce(sa.func.sum(threads.untold), 0),
        ).where(mine)
    ).one()
    told = sa.or_(threads.imported > 0, threads.untold > 0)
    lists = [
        (mine, threads.was_here.is_(False), threads.state != CatchUpState.FAILED),
        (mine, threads.was_here.is_(True), told, threads.state != CatchUpState.FAILED),
        (mine, threads.state == CatchUpState.FAILED),
    ]
    found = [_found(session, adapter, conditions) for conditions in lists]
    return CatchUpReport(
        state=run.state,
        waiting=run.problem,
        running=run.next_at is not None,
        started_at=run.started_at,
        finished_at=run.finished_at,
        threads=total,
        read=read,
        imported=int(imported),
        untold=int(untold),
        new=found[0][:SHOWN],
        filled=found[1][:SHOWN],
        failed=found[2][:SHOWN],
        more=sum(len(one) > SHOWN for one in found),
    )


def _found(session: Session, adapter: ChannelAdapter, conditions: Sequence[Any]) -> list[ThreadRow]:
    newest = (
        sa.select(sa.func.max(Conversation.id))
        .where(Conversation.identity_id == OF_PERSON)
        .correlate(ContactIdentity)
        .scalar_subquery()
    )
    query = (
        sa.select(CatchUpThread, ContactIdentity.name, newest)
        .outerjoin(
            ContactIdentity,
            sa.and_(
                ContactIdentity.account_id == CatchUpThread.account_id,
                ContactIdentity.external_id == CatchUpThread.contact,
            ),
        )
        .where(*conditions)
        .order_by(CatchUpThread.updated_at.desc(), CatchUpThread.id)
        .limit(SHOWN + 1)
    )
    return [
        ThreadRow(
            name=name or (f"@{row.username}" if row.username else adapter.contact_label(row.contact)),
            conversation_id=conversation_id,
            updated_at=row.updated_at,
            imported=row.imported,
            untold=row.untold,
            problem=row.problem,
        )
        for row, name, conversation_id in session.execute(query)
    ]


@bp.get(f"{BELOW}/history")
@workspace_view(Permission.ACCOUNTS)
def history(workspace_id: int, account_id: int) -> ResponseReturnValue:
    """Show the progress and results of catching up, and what it cannot find."""
    row, adapter, choices = settable(workspace_id, account_id)
    rules = adapter.capabilities.history
    if rules is None:
        raise NotFoundError()
    after = newest_id(db.session())
    found = report(db.session(), account_id, adapter)
    return render_template(
        "channels/history.html",
        account=row,
        label=adapter.label,
        choices=choices,
        rules=rules,
        report=found,
        checks=adapter.capabilities.second_look is not None,
        look=looks.reports(db.session(), [account_id]).get(account_id),
        missed=looks.missed_messages(db.session(), account_id, adapter),
        shown=SHOWN,
        live_after=after,
    )


@bp.post(f"{BELOW}/history")
@workspace_view(Permission.ACCOUNTS)
def catch_up(workspace_id: int, account_id: int) -> ResponseReturnValue:
    """Start reading the history at the provider."""
    row, adapter, _choices = settable(workspace_id, account_id)
    if adapter.capabilities.history is None:
        raise NotFoundError()
    write(accounts.catch_up, row.id)
    flash_good(
        _("Reading earlier messages from %(channel)s. You can leave this page.", channel=adapter.label)
    )
    return redirect(url_for("channels.history", workspace_id=workspace_id, account_id=account_id), 303)


@bp.post(f"{BELOW}/look")
@workspace_view(Permission.ACCOUNTS)
def check_now(workspace_id: int, account_id: int) -> ResponseReturnValue:
    """Check now for undelivered messages."""
    row, adapter, _choices = settable(workspace_id, account_id)
    rules = adapter.capabilities.second_look
    if rules is None:
        raise NotFoundError()
    if db.write(second_look.ask, row.id, rules):
        flash_good(_("Checking. Missing messages appear within a few minutes."))
    else:
        flash_good(_("Already checked a moment ago."))
    return redirect(url_for("channels.history", workspace_id=workspace_id, account_id=account_id), 303)
