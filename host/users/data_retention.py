"""How long the contents of received events and the event log are kept, as a desk admin chose it.

Read from the database where data is removed, never from a running app, whose settings may be older.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString
from sqlalchemy.orm import Session

from host import counters
from host.core import clock, db
from host.core.errors import InvalidError
from host.models.users import DeskSetting
from host.users import desk_settings
from host.users.actor import DeskWork

RAW_DEFAULT, LOG_DEFAULT = 30, 400
LEAST_RAW_DAYS, MOST_RAW_DAYS = 1, 400
LEAST_LOG_DAYS, MOST_LOG_DAYS = 90, 3650
"""Bounds for the event log. Consumers never lose unread events, because they hold back removal, but others
read old ones: webhook endpoints replay up to 30 days, and programs that use the API may not ask for weeks.
The least is three times that.
"""
KEYS_KEPT = timedelta(days=90)
"""The least time for which a repeated event is recognised.

A signed event older than this by the provider's time is stored but not applied: it could be a replay of a
recorded request. This doesn't grow with the choice of an admin: keys older than this were deleted before they
chose a longer time, so an old recorded request would look new.
"""

RAW_DAYS, LOG_DAYS, LOG_SINCE = "raw_days", "log_days", "log_since"
_NAMES = (RAW_DAYS, LOG_DAYS, LOG_SINCE)


class DataRetention(msgspec.Struct, frozen=True):
    """How long data of the whole desk is kept.

    :param raw_days: contents of received requests and events.
    :param log_days: the event log.
    :param log_since: the event log may lack earlier events, as less was kept before; None: nothing more than
        *log_days* says.
    """

    raw_days: int = RAW_DEFAULT
    log_days: int = LOG_DEFAULT
    log_since: datetime | None = None

    @property
    def raw(self) -> timedelta:
        """Return how long contents of received requests and events are kept."""
        return timedelta(days=self.raw_days)

    @property
    def keys(self) -> timedelta:
        """Return how long received events are kept without their contents, to recognise repeated ones.

        Never shorter than contents: erasing a customer finds a request by its events.
        """
        return max(KEYS_KEPT, self.raw)

    @property
    def log(self) -> timedelta:
        """Return how long the event log is kept."""
        return timedelta(days=self.log_days)


def chosen(session: Session) -> DataRetention:
    """Return what the admin chose."""
    query = sa.select(DeskSetting.name, DeskSetting.value).where(DeskSetting.name.in_(_NAMES))
    values = {row.name: row.value for row in session.execute(query)}
    since = values.get(LOG_SINCE)
    return DataRetention(
        int(values.get(RAW_DAYS) or RAW_DEFAULT),
        int(values.get(LOG_DAYS) or LOG_DEFAULT),
        datetime.fromtimestamp(int(since), UTC) if since else None,
    )


def read() -> DataRetention:
    """Return what the admin chose, read in a session of its own."""
    with db.read() as session:
        return chosen(session)


def log_reaches_back(session: Session, at: float) -> bool:
    """Return whether the event log still has every event written at the timestamp *at* or later."""
    now = clock.now()
    # Saves a query for nearly every call.
    if at >= (now - timedelta(days=LEAST_LOG_DAYS)).timestamp():
        return True
    kept = chosen(session)
    since = now - kept.log if kept.log_since is None else max(now - kept.log, kept.log_since)
    return at >= since.timestamp()


def save(work: DeskWork, raw_days: int, log_days: int, *, version: int | None = None) -> None:
    """Store both, checked by :func:`checked_raw` and :func:`checked_log`.

    :param version: the result of :func:`desk_settings.version` when the page was rendered; None: no check.
    :raises SettingsMovedError: if it has changed since.
    """
    counters.lock(work.session, counters.SETTINGS)
    before = chosen(work.session)
    values = {RAW_DAYS: str(raw_days), LOG_DAYS: str(log_days)}
    if log_days > before.log_days:
        # A longer log doesn't bring back what the shorter one lost.
        lost = clock.now() - before.log
        since = lost if before.log_since is None else max(lost, before.log_since)
        values[LOG_SINCE] = str(int(since.timestamp()) + 1)
    desk_settings.save(work.session, values, version=version)
    both = {RAW_DAYS: (before.raw_days, raw_days), LOG_DAYS: (before.log_days, log_days)}
    changes = {name: {"from": old, "to": new} for name, (old, new) in both.items() if old != new}
    if changes:
        work.audit("desk.changed", ", ".join(changes), details=changes)


def checked_raw(text: str) -> int:
    """Return for how many days contents of received events are kept.

    :raises InvalidError: if it is not a number, too short or too long.
    """
    sentence = _l("Contents of received events can be kept for 1 to 400 days.")
    return _checked(text, LEAST_RAW_DAYS, MOST_RAW_DAYS, sentence)


def checked_log(text: str) -> int:
    """Return for how many days the event log is kept.

    :raises InvalidError: if it is not a number, too short or too long.
    """
    sentence = _l("The event log can be kept for 90 to 3650 days.")
    return _checked(text, LEAST_LOG_DAYS, MOST_LOG_DAYS, sentence)


def _checked(text: str, least: int, most: int, sentence: LazyString) -> int:
    number = text.strip()
    # The length limits the work of int(), and no number in range is longer.
    if not number.isascii() or not number.isdigit() or len(number) > 9 or not least <= int(number) <= most:
        raise InvalidError(sentence, next_step=_l("Enter a whole number of days."))
    return int(number)
