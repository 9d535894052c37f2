"""Rate limits, off unless ``enforce_rates`` is set (M2, M24).

300 sends a second on F, 100 on I, 10 with audio or video, 2 reads.
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


def check(call: Call, account: Account, what: str) -> None:
    """Raise 613/2534040 when an account makes more calls per second than it may."""
    if not call.box.settings.enforce_rates:
        return
    allowed = LIMITS.get((what, call.flavour), CONVERSATIONS)
    now = call.box.clock.now()
    recent = call.box.calls[f"rate:{what}:{account.igid}"]
    while recent and recent[0] <= now - 1:
        recent.popleft()
    if len(recent) >= allowed:
        raise GraphError(613, 2534040)
    recent.append(now)
