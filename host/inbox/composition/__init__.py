"""Extras of a message: its sender address, quotes and forwarded messages."""
