"""Which modules the inbox's page loads."""

from __future__ import annotations

INBOX = tuple(
    f"{name}.js"
    for name in (
        "base",
        "composer",
        "composer-cards",
        "composer-draft",
        "composer-files",
        "composer-offers",
        "composer-parts",
        "composer-quote",
        "composer-tools",
        "composer-typing",
        "composer-voice",
        "gallery",
        "inbox-list",
        "inbox-media",
        "inbox-thread",
        "inbox-time",
        "live",
        "popover",
        "reactions",
        "voice",
    )
)
"""What ``inbox.js`` imports, by itself or through others."""
