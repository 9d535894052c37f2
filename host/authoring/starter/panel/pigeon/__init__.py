"""Pigeon: what it knows about a customer, beside the conversation."""
