"""Drafts stored on the server, so that they follow a person to every tab and device."""
