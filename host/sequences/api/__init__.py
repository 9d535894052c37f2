"""API routes of sequences and their runs."""
