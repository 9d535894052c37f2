"""Cursor-based pagination (docs/graph-api/results)."""

from __future__ import annotations

from sandbox.errors import GraphError
from sandbox.graph.call import Call
from sandbox.world import Json

MOST = 100


def paged(call: Call, items: list[Json], most: int = MOST) -> Json:
    """Return one page of a list with its cursors; ``limit`` counts up to *most*."""
    limit = call.text("limit", "25")
    if not limit.isdigit() or not 1 <= int(limit) <= most:
        raise GraphError(100, None, f"Param limit must be a number from 1 to {most}")
    after = call.text("after", "")
    begin = int(after.removeprefix("QVFIU")) if after.removeprefix("QVFIU").isdigit() else 0
    end = begin + int(limit)
    answer: Json = {
        "data": items[begin:end],
        "paging": {"cursors": {"before": f"QVFIU{begin}", "after": f"QVFIU{min(end, len(items))}"}},
    }
    if end < len(items):
        base = f"{call.box.media.base_url}/graph.facebook.com/{'/'.join(call.path)}"
        answer["paging"]["next"] = f"{base}?limit={limit}&after=QVFIU{end}"
    return answer
