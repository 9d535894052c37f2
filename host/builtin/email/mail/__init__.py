"""A mail taken apart: who wrote it, what it says, what it answers."""
