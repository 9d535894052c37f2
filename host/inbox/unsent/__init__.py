"""Replies that are not sent: those that wait on purpose, and what a person decides about one on its way."""
