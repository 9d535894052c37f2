"""Declarations of all kinds of events: their facts, and their bodies for programs.

Kinds are permanent: their facts and shapes may gain fields with defaults, but never lose one.
"""
