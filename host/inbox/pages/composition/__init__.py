"""Extras of a reply: its other recipients, subject and signature."""
