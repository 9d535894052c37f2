"""The clock of the host: the one tests can move."""

from __future__ import annotations

from host.core.clock import from_millis, monotonic, now

__all__ = ["from_millis", "monotonic", "now"]
