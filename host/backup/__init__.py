"""Backup of the whole desk in one file: made while it runs, restored into an empty place."""
