"""Lobby: a shared-inbox helpdesk that learns new channels from installable addons."""

__version__ = "1.0.0"
