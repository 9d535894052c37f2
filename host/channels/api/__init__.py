"""The routes of channel accounts."""
