"""API routes of rules and campaigns."""
