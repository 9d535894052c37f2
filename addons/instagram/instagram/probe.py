"""Asking Meta once more before a token counts as dead: one refusal alone has been seen of good ones."""

from __future__ import annotations

from .accounts import Credentials
from .errors import Outcome, classify
from .graph import GraphError


def is_dead(found: Credentials) -> bool:
    """Tell whether Meta refuses the token itself, asked now. No answer is no refusal."""
    try:
        found.graph().me()
    except GraphError as error:
        return classify(error).outcome is Outcome.RECONNECT
    return False
