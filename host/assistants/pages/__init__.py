"""Pages of assistants and of their suggestions."""
