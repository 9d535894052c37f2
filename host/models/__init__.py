"""Every table of the host, a module for each feature. Importing this package registers them all.

- :mod:`host.models.users`: users, sessions, workspaces, invitations, audit, installation values
- :mod:`host.models.channels`: channel accounts and warnings about them
- :mod:`host.models.inbox`: contacts, conversations, messages, reactions, marks
- :mod:`host.models.media`: files of messages
- :mod:`host.models.queue`: the inbound journal, the outbox, lanes, catching up
- :mod:`host.models.live`: changes to be shown in open browsers
- :mod:`host.models.notifications`: notifications to users
- :mod:`host.models.api`: keys, claims of idempotency
- :mod:`host.models.health`: counts by five minutes, processes
- :mod:`host.models.addons`: installed addons, their releases, requests kept for them
"""

from host.core.db import Base
from host.models import addons, api, channels, health, inbox, live, media, notifications, queue, users

__all__ = [
    "Base",
    "addons",
    "api",
    "channels",
    "health",
    "inbox",
    "live",
    "media",
    "notifications",
    "queue",
    "users",
]
