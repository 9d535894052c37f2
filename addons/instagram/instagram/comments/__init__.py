"""Comments and mentions, on comments accounts attached to those for direct messages."""
