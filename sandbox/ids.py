"""Ids in the shapes Meta uses."""

from __future__ import annotations

import base64
import itertools
import re
import secrets
import time

_counter = itertools.count(1)


def _meta_base64(text: str) -> str:
    """Encode as base64 with Meta's quirk: ``Z`` before a capital or digit becomes ``ZA``."""
    plain = base64.urlsafe_b64encode(text.encode()).decode()
    return re.sub(r"Z(?=[A-Z0-9])", "ZA", plain).replace("=", "ZD")


def _item() -> str:
    return f"{time.time_ns()}{next(_counter) % 10**8:08d}{secrets.randbelow(10**9):09d}"


def message_id(igid: str) -> str:
    """Return a new mid: long, opaque, starting ``aWdfZAG1faXRlbTox`` (M18, M34)."""
    return _meta_base64(f"ig_dm_item:1:IGMessageID:{igid}:{_item()}:{_item()}")


def conversation_id(igid: str, igsid: str) -> str:
    """Return the id of a thread, always the same for a pair (M18, M34)."""
    return _meta_base64(f"ig_dm:1:IGMessageThread:{igid}:{int(igsid) * 7919:024d}")


def trace_id() -> str:
    """Return an ``fbtrace_id``."""
    return "A" + secrets.token_urlsafe(16)[:22]


def digits(prefix: str, length: int) -> str:
    """Return a new numeric id of a given length that starts with ``prefix``."""
    room = length - len(prefix)
    return prefix + f"{secrets.randbelow(10**room):0{room}d}"


def token_value(prefix: str) -> str:
    """Return a new access token, recognisable as the sandbox's."""
    return f"{prefix}SANDBOX{secrets.token_hex(24)}"
