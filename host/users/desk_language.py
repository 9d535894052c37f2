"""The language of texts for people outside: the workspace's, else the desk's (``LOBBY_LANGUAGE``)."""

from __future__ import annotations

_default = "en"


def use(language: str) -> None:
    """Set the desk's language, a code such as ``de``, from now on in this process."""
    global _default  # noqa: PLW0603 - a setting of the process
    _default = language


def of_workspace(language: str | None) -> str:
    """Return the *language* of a workspace, or the desk's if the workspace has chosen none."""
    return language or _default
