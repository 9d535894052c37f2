"""Ask Meta again before treating a token as dead, because Meta sometimes refuses valid ones."""

from __future__ import annotations

from ..accounts import Credentials
from ..errors import Outcome, classify
from ..graph import GraphError


def is_dead(found: Credentials) -> bool:
    """Return whether Meta refuses the token itself now. No response does not count as a refusal."""
    try:
        found.graph().me()
    except GraphError as error:
        return classify(error).outcome is Outcome.RECONNECT
    return False
