"""The record: what happened in the desk, each once and in order, and everybody who reads it."""
