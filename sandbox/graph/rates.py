"""Rate limits, off unless ``enforce_rates`` is set (M2, M24).

300 sends a second on F, 100 on I, 10 with audio or video, 2 reads; 750 private replies an hour to comments on
posts, 100 a second to those on a broadcast.
"""

from __future__ import annotations

from sandbox.errors import GraphError
from sandbox.graph.call import Call
from sandbox.world import Account, Flavour

LIMITS = {
    ("send", Flavour.F): 300,
    ("send", Flavour.I): 100,
    ("media", Flavour.F): 10,
    ("media", Flavour.I): 10,
}
CONVERSATIONS = 2
PRIVATE = {"private": (750, 3600.0), "live": (100, 1.0)}
"""Limits of private replies: a number and a period in seconds."""


def check(call: Call, account: Account, what: str) -> None:
    """Raise 613/2534040 if an account exceeds its limit."""
    if not call.box.settings.enforce_rates:
        return
    allowed, seconds = PRIVATE.get(what) or (LIMITS.get((what, call.flavour), CONVERSATIONS), 1.0)
    now = call.box.clock.now()
    recent = call.box.calls[f"rate:{what}:{account.igid}"]
    while recent and recent[0] <= now - seconds:
        recent.popleft()
    if len(recent) >= allowed:
        raise GraphError(613, 2534040)
    recent.append(now)
