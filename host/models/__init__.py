"""Every table of the host, a module for each feature. Importing this package registers them all.

- :mod:`host.models.users`: users, sessions, workspaces, invitations, audit, installation values
- :mod:`host.models.signing_in`: second factors, passkeys, the sign-in provider, and the settings of all that
- :mod:`host.models.channels`: channel accounts and warnings about them
- :mod:`host.models.inbox`: contacts, conversations, messages, reactions, marks
- :mod:`host.models.contacts`: what a team keeps about its customers, and who was merged
- :mod:`host.models.labels`: labels of conversations
- :mod:`host.models.mentions`: who is named in which note
- :mod:`host.models.teams`: teams, their members and accounts, and when they work
- :mod:`host.models.posts`: posts that customers write below, and what becomes of messages there
- :mod:`host.models.automation`: what accounts say and do by themselves, and what came of it
- :mod:`host.models.saved_views`: filters of conversations with a name
- :mod:`host.models.canned`: canned replies with their files, and macros
- :mod:`host.models.bulk`: one change of many conversations, and how each was before
- :mod:`host.models.media`: files of messages
- :mod:`host.models.queue`: the inbound journal, the outbox, lanes, catching up
- :mod:`host.models.record`: what happened, and how far each of its readers is
- :mod:`host.models.reports`: how long customers waited, and sums by the hour
- :mod:`host.models.search`: which message has which word
- :mod:`host.models.notifications`: notifications to users
- :mod:`host.models.outgoing`: endpoints of other programs, what they are told, deliveries
- :mod:`host.models.api`: keys, claims of idempotency
- :mod:`host.models.assistants`: assistants, what they know, a row for each thought
- :mod:`host.models.health`: counts by five minutes, processes
- :mod:`host.models.addons`: installed addons, their releases, requests kept for them
"""

from host.core.db import Base
from host.models import (
    addons,
    api,
    assistants,
    automation,
    bulk,
    canned,
    channels,
    contacts,
    health,
    inbox,
    labels,
    media,
    mentions,
    notifications,
    outgoing,
    posts,
    queue,
    record,
    reports,
    saved_views,
    search,
    signing_in,
    teams,
    users,
)

__all__ = [
    "Base",
    "addons",
    "api",
    "assistants",
    "automation",
    "bulk",
    "canned",
    "channels",
    "contacts",
    "health",
    "inbox",
    "labels",
    "media",
    "mentions",
    "notifications",
    "outgoing",
    "posts",
    "queue",
    "record",
    "reports",
    "saved_views",
    "search",
    "signing_in",
    "teams",
    "users",
]
