"""Diagnose: checks of an account, each with its evidence and how to fix what is wrong."""
