"""Tests of accounts use the desk of the tests of the shell."""

from __future__ import annotations

from tests.web.conftest import _no_tries_counted, desk, secure_desk

__all__ = ["_no_tries_counted", "desk", "secure_desk"]
