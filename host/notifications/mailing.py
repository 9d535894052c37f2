"""Mail notifications: each at most once, however many processes run or die.

A process claims a mail before it sends it. If the outcome is unknown, because the connection broke or the
process died, the mail is not sent again: the warning is still on the page, and repeated mails make people
ignore them.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from email.message import EmailMessage
from typing import Any
from urllib.parse import urljoin

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import clock, db, mail
from host.core.config import Config
from host.models.notifications import Notification
from host.models.users import User, Workspace
from host.notifications.notify import translated

log = logging.getLogger(__name__)

MOST_TRIES = 8
FIRST_PAUSE = timedelta(minutes=1)
TOO_LATE = timedelta(days=2)
"""A notification that could not be mailed for this long, such as without a mail server, is not mailed."""
COUNTED_MOST = 10_000

_config: Config | None = None


def use(config: Config) -> None:
    """Mail by what *config* says, from now on in this process."""
    global _config  # noqa: PLW0603 - the settings of the process
    _config = config


def send_due() -> int:
    """Mail everything that is due; return how many the server took."""
    server = None if _config is None else mail.server_of(_config)
    if server is None or _config is None:
        return 0
    sent = 0
    for row in _due():
        if not db.write(_take, row.id, row.mail_due_at):
            continue  # another process has it
        try:
            mail.send(server, _composed(server, row, _config.public_url))
            sent += 1
        except mail.NotSentError as error:
            log.warning("notification %s could not be mailed: %s", row.id, error)
            db.write(_put_back, row.id, row.mail_failures + 1)
        except mail.UnconfirmedError as error:
            log.warning("nobody knows whether notification %s was mailed: %s", row.id, error)
        except Exception:
            log.exception("notification %s could not be mailed", row.id)
    return sent


def waiting(session: Session) -> int:
    """Count the mails that are still to be sent, up to :data:`COUNTED_MOST`."""
    due = Notification.mail_due_at.is_not(None), Notification.created_at > clock.now() - TOO_LATE
    some = sa.select(Notification.id).where(*due).limit(COUNTED_MOST).subquery()
    return session.scalar(sa.select(sa.func.count()).select_from(some)) or 0


def _due() -> list[sa.Row[Any]]:
    now = clock.now()
    query = (
        sa.select(
            *Notification.__table__.columns, User.email.label("address"), Workspace.name.label("workspace")
        )
        .join(User, User.id == Notification.user_id)
        .outerjoin(Workspace, Workspace.id == Notification.workspace_id)
        .where(
            Notification.mail_due_at <= now,
            Notification.created_at > now - TOO_LATE,
            User.disabled_at.is_(None),
        )
        .order_by(Notification.id)
        .limit(50)
    )
    with db.read() as session:
        return list(session.execute(query))


def _take(session: Session, notification_id: int, due_at: object) -> bool:
    taken = session.execute(
        sa.update(Notification)
        .where(Notification.id == notification_id, Notification.mail_due_at == due_at)
        .values(mail_due_at=None)
        .execution_options(synchronize_session=False)
    )
    return bool(taken.rowcount)  # type: ignore[attr-defined]


def _put_back(session: Session, notification_id: int, failures: int) -> None:
    again = None if failures >= MOST_TRIES else clock.now() + FIRST_PAUSE * 2 ** (failures - 1)
    session.execute(
        sa.update(Notification)
        .where(Notification.id == notification_id)
        .values(mail_due_at=again, mail_failures=failures)
        .execution_options(synchronize_session=False)
    )


def _composed(server: mail.Server, row: sa.Row[Any], public_url: str) -> EmailMessage:
    sentence = translated(row.sentence, row.details)
    parts = [
        f"{row.title}: {sentence}",
        translated(row.next_step, row.details),
        urljoin(f"{public_url}/", row.path),
        f"-- \n{row.workspace or 'Lobby'}",
    ]
    text = "\n\n".join(part for part in parts if part) + "\n"
    return mail.compose(server, row.address, f"{row.title}: {sentence}", text)
