"""The routes of conversations and messages, with saved views."""
