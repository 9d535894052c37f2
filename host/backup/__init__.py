"""Backup of the whole desk in one file: created while it runs, restored into an empty installation."""
