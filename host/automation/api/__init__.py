"""The routes of what accounts do by themselves."""
