"""Events for open browsers only, which have no kind."""

from __future__ import annotations

from host.events.facts import Facts


class OfPresence(Facts, frozen=True, kw_only=True):
    """Current activity of a member in a conversation; only for browsers."""

    user: int = 0
    state: str = ""


class OfTold(Facts, frozen=True, kw_only=True):
    """Ids of users with new notifications; only for browsers."""

    users: tuple[int, ...] = ()
