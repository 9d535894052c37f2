"""Views of an account's checks for undelivered messages, for its card and page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import msgspec
import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from flask_babel import ngettext
from flask_babel.speaklater import LazyString
from sqlalchemy.orm import Session

from host.core import clock
from host.models.inbox import ContactIdentity, Conversation, Message
from host.models.queue import MissedMessage, SecondLook
from host.sdk.channel import ChannelAdapter
from host.web.languages import gettext as _

SHOWN_FOR = timedelta(days=7)
LISTED = 100

_REASONS: Mapping[str, LazyString] = {
    "budget": _l(
        "Checking more often would use too many of the calls %(channel)s allows. The limit "
        "grows with the number of customers."
    ),
    "quiet": _l("Checked less often because nobody has written for a day."),
    "limit": _l("Checked less often for now because the call limit of %(channel)s is almost used up."),
}


class LookReport(msgspec.Struct, frozen=True):
    """The state of an account's checks for undelivered messages.

    :param looked_at: start of the latest complete check; None if there was none yet.
    :param missed: number of missed messages found within seven days.
    :param interval: seconds between two checks.
    :param reason: why the interval is longer than the minimum; empty if it is not.
    """

    looked_at: datetime | None
    missed: int
    interval: int
    reason: str
    problem: Mapping[str, str] | None

    @property
    def every(self) -> str:
        """The interval in words."""
        minutes = self.interval // 60
        if minutes < 60:
            return str(ngettext("Every %(num)s minute.", "Every %(num)s minutes.", minutes))
        return str(ngettext("Every hour.", "Every %(num)s hours.", minutes // 60))

    def why(self, channel: str) -> str:
        """Return in words why it is not checked more often; empty if the interval is the minimum."""
        words = _REASONS.get(self.reason)
        return "" if words is None else str(words) % {"channel": channel}


def reports(session: Session, account_ids: Sequence[int]) -> dict[int, LookReport]:
    """Return the reports of accounts by id, without accounts whose provider cannot be asked."""
    since = clock.now() - SHOWN_FOR
    counts = (
        sa.select(MissedMessage.account_id, sa.func.count())
        .where(MissedMessage.account_id.in_(account_ids), MissedMessage.found_at >= since)
        .group_by(MissedMessage.account_id)
    )
    missed = {row[0]: row[1] for row in session.execute(counts)}
    rows = session.scalars(sa.select(SecondLook).where(SecondLook.account_id.in_(account_ids)))
    return {
        row.account_id: LookReport(
            row.looked_at, missed.get(row.account_id, 0), row.interval, row.reason, row.problem
        )
        for row in rows
    }


class Missed(msgspec.Struct, frozen=True):
    """An undelivered message in the list.

    :param conversation_id: None until it is in the inbox.
    """

    name: str
    conversation_id: int | None
    sent_at: datetime
    found_at: datetime


def missed_messages(session: Session, account_id: int, adapter: ChannelAdapter) -> list[Missed]:
    """Return the messages missed within seven days, latest found first."""
    query = (
        sa.select(MissedMessage, Message.conversation_id, ContactIdentity)
        .outerjoin(
            Message,
            sa.and_(
                Message.account_id == MissedMessage.account_id,
                Message.external_id == MissedMessage.external_id,
            ),
        )
        .outerjoin(Conversation, Conversation.id == Message.conversation_id)
        .outerjoin(ContactIdentity, ContactIdentity.id == Conversation.identity_id)
        .where(MissedMessage.account_id == account_id, MissedMessage.found_at >= clock.now() - SHOWN_FOR)
        .order_by(MissedMessage.found_at.desc(), MissedMessage.id.desc())
        .limit(LISTED)
    )
    return [
        Missed(
            _("Not in the inbox yet")
            if identity is None
            else identity.name
            or (
                f"@{identity.username}" if identity.username else adapter.contact_label(identity.external_id)
            ),
            conversation_id,
            row.sent_at,
            row.found_at,
        )
        for row, conversation_id, identity in session.execute(query)
    ]
