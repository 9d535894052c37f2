"""Base class for the facts of an event beyond the ids in its row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import msgspec


class Facts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Facts of a kind of event beyond the ids in its row.

    Never contains text that a customer wrote or the name of a person: erased data must not stay here.

    :cvar named: field -> type of object its id refers to, for fields whose names appear in bodies:
        ``people``, ``teams``, ``labels``, ``rules``, ``sequences`` or ``assistants``. The id 0 means nobody.
    """

    named: ClassVar[Mapping[str, str]] = {}
