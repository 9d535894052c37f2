"""Sharing to Lobby from other apps of a phone: into a reply, without a copy on the server."""
