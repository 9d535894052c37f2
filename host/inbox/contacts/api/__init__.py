"""The routes of contacts and their attributes."""
