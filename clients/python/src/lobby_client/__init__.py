"""Read and answer the conversations of a Lobby desk, and verify its webhooks.

``Lobby`` is the client, ``AsyncLobby`` the same for asyncio (``pip install 'lobby-desk-client[async]'``).
"""

from lobby_client import errors, types, webhooks
from lobby_client._async.client import AsyncLobby
from lobby_client._given import UNSET, File
from lobby_client._sync.client import Lobby
from lobby_client._wire import VERSION
from lobby_client.errors import LobbyError
from lobby_client.events import Event, EventPage

__version__ = VERSION

__all__ = [
    "UNSET",
    "AsyncLobby",
    "Event",
    "EventPage",
    "File",
    "Lobby",
    "LobbyError",
    "__version__",
    "errors",
    "types",
    "webhooks",
]
