"""How long received files are kept, by the account's setting."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec

SETTING = "media_days"
DEFAULT = 30
MOST = 3650


class Retention(msgspec.Struct, frozen=True):
    """The retention period of an account's received files.

    :param days: days a file is kept after its message's arrival; 0: files are only linked; None: files are
        kept as long as their message.
    """

    days: int | None = DEFAULT

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Retention:
        """Return the retention period in an account's *settings*; the default if it is invalid."""
        value = settings.get(SETTING, DEFAULT)
        if value == "keep":
            return cls(None)
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST:
            return cls(value)
        return cls()

    @property
    def setting(self) -> int | str:
        """The value in an account's settings."""
        return "keep" if self.days is None else self.days

    @property
    def stores(self) -> bool:
        return self.days != 0

    def removes_more_than(self, other: Retention) -> bool:
        """Return whether it deletes files that *other* keeps."""
        if self.days is None:
            return False
        return other.days is None or self.days < other.days

    def ends_at(self, arrived_at: datetime) -> datetime | None:
        """Return when a file that arrived at *arrived_at* is removed, or None if never."""
        return None if self.days is None else arrived_at + timedelta(days=self.days)
