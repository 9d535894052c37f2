"""Sign-in to mailboxes at their provider (OAuth 2), instead of a password."""
