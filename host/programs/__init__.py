"""Requests to programs of a workspace: signed, and only to public addresses."""
