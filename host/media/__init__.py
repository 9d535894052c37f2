"""Files of messages: uploads, what was received, who may see them, and when they go."""

from host.media.links import public_url
from host.media.removal import forget

__all__ = ["forget", "public_url"]
