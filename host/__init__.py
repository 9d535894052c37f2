"""Lobby: a shared-inbox helpdesk that learns new channels from installable addons."""

__version__ = "1.0.0"

WHEEL = f"lobby_desk-{__version__}-py3-none-any.whl"
"""The file Lobby is installed from. It is on no package index."""


def installing(extra: str) -> str:
    """Return the command that adds *extra*. It names the file: the name alone would be a stranger's."""
    return f"pip install './{WHEEL}[{extra}]'"
