"""Write to a contact first: where they can be reached, and how a conversation goes on as another."""
