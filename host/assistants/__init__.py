"""Assistants: they suggest replies to people, and answer automatically where people allow it.

A message in the event log becomes a turn (:mod:`.turns`). When the customer pauses, a separate thread asks
the model (:mod:`.thinking`), with no write open meanwhile. :mod:`.deciding`, which is pure, judges the
result. :mod:`.writing` stores it in one write that checks again whether it is still allowed.
"""
