"""Pigeon: messages of its customers in the shared inbox."""
