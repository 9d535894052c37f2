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


class OfErased(Facts, frozen=True, kw_only=True):
    """The customer who was erased; None if only some messages were. Only for browsers."""

    contact: int | None = None


class OfAccess(Facts, frozen=True, kw_only=True):
    """Ids of members who may see more or less than before; only for browsers."""

    users: tuple[int, ...] = ()
