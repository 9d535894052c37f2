"""The language of texts for customers: the workspace's, else the desk's (``LOBBY_LANGUAGE``)."""

from __future__ import annotations

_default = "en"


def use(language: str) -> None:
    """Set the desk's language in this process to a code such as ``de``."""
    global _default  # noqa: PLW0603 - a setting of the process
    _default = language


def of_workspace(language: str | None) -> str:
    """Return the *language* of a workspace, or the desk's if the workspace has chosen none."""
    return language or _default
