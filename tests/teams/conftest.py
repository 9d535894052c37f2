"""Tests of teams use the scene and the pages of the tests of the inbox."""

from __future__ import annotations

from tests.inbox.conftest import base, open_page, scene

__all__ = ["base", "open_page", "scene"]
