"""Instagram Direct for Lobby: a translator between Meta's messaging API and the shared inbox."""
