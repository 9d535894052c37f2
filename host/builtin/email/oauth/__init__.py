"""Signing in to mailboxes at their provider (OAuth 2), in place of a password."""
