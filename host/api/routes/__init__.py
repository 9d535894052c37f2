"""Every route of the API, declared."""

from __future__ import annotations

from host.api.http.declare import ROUTES
from host.api.routes import about as _about  # noqa: F401 - each of these declares its routes
from host.api.routes import accounts as _accounts  # noqa: F401
from host.api.routes import analytics as _analytics  # noqa: F401
from host.api.routes import attributes as _attributes  # noqa: F401
from host.api.routes import automation as _automation  # noqa: F401
from host.api.routes import bulk_actions as _bulk_actions  # noqa: F401
from host.api.routes import campaigns as _campaigns  # noqa: F401
from host.api.routes import canned_replies as _canned_replies  # noqa: F401
from host.api.routes import contacts as _contacts  # noqa: F401
from host.api.routes import conversations as _conversations  # noqa: F401
from host.api.routes import downloads as _downloads  # noqa: F401
from host.api.routes import endpoints as _endpoints  # noqa: F401
from host.api.routes import events as _events  # noqa: F401
from host.api.routes import greetings as _greetings  # noqa: F401
from host.api.routes import handling as _handling  # noqa: F401
from host.api.routes import hours as _hours  # noqa: F401
from host.api.routes import labels as _labels  # noqa: F401
from host.api.routes import messages as _messages  # noqa: F401
from host.api.routes import reactions as _reactions  # noqa: F401
from host.api.routes import rules as _rules  # noqa: F401
from host.api.routes import search as _search  # noqa: F401
from host.api.routes import sending as _sending  # noqa: F401
from host.api.routes import teams as _teams  # noqa: F401
from host.api.routes import uploading as _uploading  # noqa: F401
from host.api.routes.assistants import cases as _cases  # noqa: F401
from host.api.routes.assistants import keeping as _assistants  # noqa: F401
from host.api.routes.assistants import knowledge as _knowledge  # noqa: F401
from host.api.routes.assistants import playing as _playing  # noqa: F401
from host.api.routes.assistants import tools as _tools  # noqa: F401
from host.api.routes.assistants import turns as _turns  # noqa: F401
from host.api.routes.comments import posts as _posts  # noqa: F401

__all__ = ["ROUTES"]
