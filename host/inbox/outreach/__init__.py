"""Write to a contact first: where they can be reached, and how conversations continue elsewhere."""
