"""Unsent replies: undo, schedule, resend, cancel and edit them."""
