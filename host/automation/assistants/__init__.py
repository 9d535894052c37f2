"""Assistants: they suggest to people, and answer by themselves where people let them.

A message of the record becomes a turn (:mod:`.turns`). When the customer pauses, a thread of its own asks
the model (:mod:`.thinking`); no write is open meanwhile. What comes of it is decided by :mod:`.deciding`,
which is pure, and written in one write that looks once more whether it may be (:mod:`.writing`).
"""
