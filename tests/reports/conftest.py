from __future__ import annotations

from tests.delivery.conftest import counting, desk

__all__ = ["counting", "desk"]
