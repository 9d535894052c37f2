"""All kinds of events, in the order of the documentation, collected from :mod:`host.events.kinds`.

``docs/events.md``, the ``webhooks`` of the API document and the events for addons are generated from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain

from host.events.declaration import Kind
from host.events.kinds import accounts, assistants, contacts, conversations, messages, rules, sequences

KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in chain(
        messages.KINDS,
        conversations.KINDS,
        contacts.KINDS,
        rules.KINDS,
        sequences.KINDS,
        assistants.KINDS,
        accounts.KINDS,
    )
}
"""Kinds by name."""
