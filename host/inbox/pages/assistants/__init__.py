"""What an assistant does in a conversation, above the composer, and what people do with it."""
