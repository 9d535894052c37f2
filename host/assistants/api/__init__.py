"""Routes for assistants: their settings, their knowledge and their turns."""
