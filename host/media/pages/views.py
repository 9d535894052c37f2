"""Every page of files; importing it makes them part of the blueprint."""

from __future__ import annotations

from host.media.pages import message_views, person_views, public_views, upload_views
from host.media.pages.blueprint import bp

__all__ = ["bp", "message_views", "person_views", "public_views", "upload_views"]
