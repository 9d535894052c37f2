"""Mail notifications, each at most once, even with several processes, or if one dies.

A process claims a mail before it sends it. If the outcome is unknown, because the connection broke or the
process died, the mail is not sent again: the notification is still on the page, and repeated mails make
people ignore them.

Notifications about conversations wait for the end of the person's quiet hours and are combined in one mail.
It names the customer and the event, and contains nothing that anybody wrote.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from email.message import EmailMessage
from typing import Any
from urllib.parse import urljoin

import sqlalchemy as sa
from babel import dates
from babel.support import NullTranslations
from sqlalchemy.orm import Session

from host.core import clock, db, mail
from host.core.config import Config
from host.models.notifications import Notification
from host.models.users import Membership, User, Workspace
from host.notifications import rules
from host.notifications.notify import CUSTOMER, said, with_customer, worded
from host.sdk.i18n import format_moment, noop
from host.users import reach

log = logging.getLogger(__name__)

MOST_TRIES = 8
FIRST_PAUSE = timedelta(minutes=1)
TOO_LATE = timedelta(days=2)
"""Age after which an unsent notification, for example without a mail server, is no longer mailed."""
COUNTED_MOST = 10_000

_config: Config | None = None


def use(config: Config) -> None:
    """Use the mail settings of *config* in this process."""
    global _config  # noqa: PLW0603 - the settings of the process
    _config = config


def send_due() -> int:
    """Send all due mails; return the number that the server accepted."""
    server = None if _config is None else mail.server_of(_config)
    if server is None or _config is None:
        return 0
    due = _due()
    mails = [[row] for row in due if row.kind is None] + _together(due)
    return sum(_send(server, rows, _config) for rows in mails)


def _together(due: Sequence[sa.Row[Any]]) -> list[list[sa.Row[Any]]]:
    """Group notices about conversations by recipient, leaving out people in their quiet hours."""
    people: dict[int, list[sa.Row[Any]]] = defaultdict(list)
    for row in due:
        if row.kind is not None:
            people[row.user_id].append(row)
    if not people:
        return []
    with db.read() as session:
        quiet = rules.quiet_hours(session, people)
    now = clock.now()
    found = []
    for user_id, rows in people.items():
        until = quiet[user_id].until(now) if user_id in quiet else None
        if until is None:
            found.append(rows)
        else:
            db.write(_postpone, [row.id for row in rows], until)
    return found


def _send(server: mail.Server, rows: Sequence[sa.Row[Any]], config: Config) -> bool:
    """Send one mail of *rows*, unless other processes claimed them; return whether the server accepted it."""
    rows = [row for row in rows if db.write(_take, row.id, row.mail_due_at)]
    if not rows:
        return False
    ids = ", ".join(str(row.id) for row in rows)
    try:
        mail.send(server, _composed(server, rows, config))
        return True
    except mail.NotSentError as error:
        log.warning("notification %s could not be mailed: %s", ids, error)
        for row in rows:
            db.write(_put_back, row.id, row.mail_failures + 1)
    except mail.UnconfirmedError as error:
        log.warning("nobody knows whether notification %s was mailed: %s", ids, error)
    except Exception:
        log.exception("notification %s could not be mailed", ids)
    return False


def _in_time(now: datetime) -> sa.ColumnElement[bool]:
    """Return the condition that a notification is not too old to be mailed."""
    since = now - TOO_LATE
    return sa.or_(Notification.created_at > since, Notification.mail_due_at > since)


def _may_have() -> sa.ColumnElement[bool]:
    """Return the condition that the recipient may still see the conversation and has not read it."""
    member = sa.exists().where(
        Membership.user_id == Notification.user_id,
        Membership.workspace_id == Notification.workspace_id,
        reach.sees_account(Notification.account_id),
    )
    return sa.or_(Notification.kind.is_(None), sa.and_(Notification.read_at.is_(None), member))


def waiting(session: Session) -> int:
    """Count pending mails, up to :data:`COUNTED_MOST`."""
    due = Notification.mail_due_at.is_not(None), _in_time(clock.now())
    some = sa.select(Notification.id).where(*due).limit(COUNTED_MOST).subquery()
    return session.scalar(sa.select(sa.func.count()).select_from(some)) or 0


def _due() -> list[sa.Row[Any]]:
    now = clock.now()
    query = sa.select(
        *Notification.__table__.columns,
        User.email.label("address"),
        User.locale,
        User.timezone,
        Workspace.name.label("workspace"),
        Workspace.language,
        Workspace.timezone.label("its_zone"),
        CUSTOMER,
    ).join(User, User.id == Notification.user_id)
    query = (
        with_customer(query)
        .where(
            Notification.mail_due_at <= now,
            _in_time(now),
            _may_have(),
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


def let_be(session: Session) -> None:
    """Cancel all pending mails after a restore, because they may have been sent since the backup."""
    session.execute(
        sa.update(Notification).where(Notification.mail_due_at.is_not(None)).values(mail_due_at=None)
    )


def _postpone(session: Session, ids: Sequence[int], until: datetime) -> None:
    session.execute(
        sa.update(Notification)
        .where(Notification.id.in_(ids), Notification.mail_due_at.is_not(None))
        .values(mail_due_at=until)
        .execution_options(synchronize_session=False)
    )


def _composed(server: mail.Server, rows: Sequence[sa.Row[Any]], config: Config) -> EmailMessage:
    row = rows[0]
    words = mail.words(row.locale, row.language, config.language)
    if row.kind is None:
        sentence = _filled(words, row.sentence, row)
        parts = [
            f"{row.title}: {sentence}",
            _filled(words, row.next_step, row),
            urljoin(f"{config.public_url}/", row.path),
            f"-- \n{row.workspace or 'Lobby'}",
        ]
        text = "\n\n".join(part for part in parts if part) + "\n"
        return mail.compose(server, row.address, f"{row.title}: {sentence}", text)
    lines = [_line(words, one) for one in rows]
    link = [urljoin(f"{config.public_url}/", one.path) for one in rows]
    foot = words.ugettext(HOW)
    settings = urljoin(f"{config.public_url}/", "/notifications/settings")
    places = ", ".join(dict.fromkeys(one.workspace or "Lobby" for one in rows))
    text = "\n\n".join(
        [
            *(f"{line}\n{there}" for line, there in zip(lines, link, strict=True)),
            f"-- \n{places}\n{foot}\n{settings}",
        ]
    )
    subject = lines[0] if len(rows) == 1 else words.ugettext(SEVERAL) % {"number": len(rows), "place": places}
    return mail.compose(server, row.address, subject, text + "\n")


HOW = noop("Choose your notifications:")
SEVERAL = noop("%(number)s notifications in %(place)s")
SOMEBODY = noop("A customer")


def _filled(words: NullTranslations, sentence: str, row: sa.Row[Any]) -> str:
    """Return *sentence* in the language of *words* and the time zone of the row's person."""
    text: str = words.ugettext(sentence) if sentence else ""
    if not row.details:
        return text
    language = words.info().get("language", "en")
    zone = next((one for one in (row.timezone, row.its_zone) if one in clock.zones()), "UTC")

    def day(at: datetime) -> str:
        return str(dates.format_date(at.astimezone(clock.zone(zone)), locale=language))

    def moment(at: datetime) -> str:
        return f"{format_moment(at, language, zone)} ({zone.replace('_', ' ')})"

    return text % worded(row.details, day, moment)


def _line(words: NullTranslations, row: sa.Row[Any]) -> str:
    sentence: str = words.ugettext(said(row)) % row.details
    who = row.customer or (row.title if row.conversation_id is None else words.ugettext(SOMEBODY))
    return f"{who}: {sentence}"
