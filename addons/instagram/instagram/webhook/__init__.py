"""Webhooks from Meta: verified, cut into one envelope for each event, and read as changes of the inbox."""
