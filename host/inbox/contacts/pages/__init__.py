"""The pages of contacts and their attributes."""
