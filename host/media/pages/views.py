"""Import all views of files, which registers them on the blueprint."""

from __future__ import annotations

from host.media.pages import (
    enclosed_views,
    formatted_views,
    message_views,
    original_views,
    person_views,
    portrait_views,
    public_views,
    upload_views,
)
from host.media.pages.blueprint import bp

__all__ = [
    "bp",
    "enclosed_views",
    "formatted_views",
    "message_views",
    "original_views",
    "person_views",
    "portrait_views",
    "public_views",
    "upload_views",
]
