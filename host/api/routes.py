"""Every route of the API, declared."""

from __future__ import annotations

from host.api import about as _about  # noqa: F401 - each of these declares its routes
from host.api import accounts as _accounts  # noqa: F401
from host.api import contacts as _contacts  # noqa: F401
from host.api import conversations as _conversations  # noqa: F401
from host.api import downloads as _downloads  # noqa: F401
from host.api import greetings as _greetings  # noqa: F401
from host.api import messages as _messages  # noqa: F401
from host.api import reactions as _reactions  # noqa: F401
from host.api import sending as _sending  # noqa: F401
from host.api import uploading as _uploading  # noqa: F401
from host.api.declare import ROUTES

__all__ = ["ROUTES"]
