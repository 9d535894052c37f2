"""Bulk actions: one change of many conversations, in batches, with undo."""
