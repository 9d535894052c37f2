"""Tables of the host, a module for each feature.

Importing this package registers them. Some features have their own ``models.py``;
:func:`host.features.registry.load_models` registers the tables of all.

- :mod:`host.models.users`: users, sessions, workspaces, invitations, audit, installation values
- :mod:`host.models.signing_in`: second factors, passkeys, the sign-in provider, and their settings
- :mod:`host.models.channels`: channel accounts and their warnings
- :mod:`host.models.inbox`: contacts, conversations, messages, reactions, marks
- :mod:`host.models.mentions`: members mentioned in notes
- :mod:`host.models.posts`: posts with customers' comments, and the state of those comments
- :mod:`host.models.automation`: automation of accounts, and its runs
- :mod:`host.models.saved_views`: named filters of conversations
- :mod:`host.models.media`: files of messages
- :mod:`host.models.queue`: the inbound log, the outbox, lanes, history sync
- :mod:`host.models.search`: the search index
- :mod:`host.models.notifications`: notifications to users
- :mod:`host.models.api_keys`: API keys, idempotent requests
- :mod:`host.models.health`: counts by five minutes, processes
- :mod:`host.models.addons`: installed addons, their releases, requests kept for them
"""

from host.core.db import Base
from host.models import (
    addons,
    api_keys,
    automation,
    channels,
    health,
    inbox,
    media,
    mentions,
    notifications,
    posts,
    queue,
    saved_views,
    search,
    signing_in,
    users,
)

__all__ = [
    "Base",
    "addons",
    "api_keys",
    "automation",
    "channels",
    "health",
    "inbox",
    "media",
    "mentions",
    "notifications",
    "posts",
    "queue",
    "saved_views",
    "search",
    "signing_in",
    "users",
]
