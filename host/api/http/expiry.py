"""The header that says when the key of a request expires."""

from __future__ import annotations

import msgspec

from host.users.api_keys import Caller

HEADER = "Lobby-Key-Expires"


def headers(caller: Caller) -> dict[str, str]:
    """Return the header with the time, as ``GET /me`` writes it, if the key expires soon; otherwise none."""
    return {HEADER: msgspec.to_builtins(caller.expires_at)} if caller.expires_soon else {}
