"""Fetch the mail of mailboxes by IMAP."""
