"""Contacts: their details, merging, blocking, and consent to automated messages."""
