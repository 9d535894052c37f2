"""Sending: requests for the Send API, Meta's answers, and messages whose sending was not confirmed."""
