"""Files of messages: uploads, received files, who may see them, and when they are removed."""

from host.media.file_removal import forget_files
from host.media.links import public_url

__all__ = ["forget_files", "public_url"]
