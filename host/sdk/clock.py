"""The host's clock, which tests can set."""

from __future__ import annotations

from host.core.clock import from_millis, monotonic, now

__all__ = ["from_millis", "monotonic", "now"]
