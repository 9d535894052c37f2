"""Pigeon: notices customers who write often."""
