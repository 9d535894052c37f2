"""Pages that follow when something on them is erased; ``erased.js`` is the other half."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from flask import g

from host.core import db
from host.live.events import newest_id

P = ParamSpec("P")
R = TypeVar("R")


def follows(view: Callable[P, R]) -> Callable[P, R]:
    """Have the page of a view, which shows something of customers, be loaded again once that is erased.

    Remember the newest event before the view reads anything, so that none after it is missed.
    """

    @wraps(view)
    def following(*args: P.args, **values: P.kwargs) -> R:
        with db.read() as session:
            g.follows = newest_id(session)
        return view(*args, **values)

    return following
