"""Canned replies and macros: texts and actions that people use repeatedly."""
