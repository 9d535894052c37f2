"""Push notifications to phones and browsers, while no page of Lobby is open."""
