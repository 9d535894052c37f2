"""Every route of the API, declared."""

from __future__ import annotations

from host.api.http.declare import ROUTES
from host.api.routes import about as _about  # noqa: F401 - each of these declares its routes
from host.api.routes import accounts as _accounts  # noqa: F401
from host.api.routes import contacts as _contacts  # noqa: F401
from host.api.routes import conversations as _conversations  # noqa: F401
from host.api.routes import downloads as _downloads  # noqa: F401
from host.api.routes import greetings as _greetings  # noqa: F401
from host.api.routes import messages as _messages  # noqa: F401
from host.api.routes import reactions as _reactions  # noqa: F401
from host.api.routes import sending as _sending  # noqa: F401
from host.api.routes import uploading as _uploading  # noqa: F401

__all__ = ["ROUTES"]
