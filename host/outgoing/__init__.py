"""Outgoing webhooks: other programs are told what happens, at least once and in order per conversation.

- :mod:`host.outgoing.bodies`: what they are told, made of the record
- :mod:`host.outgoing.endpoints`: who is told, and of what
- :mod:`host.outgoing.waiting`: deliveries put into lanes, one lane for each endpoint and conversation
- :mod:`host.outgoing.sending`: the threads that send them
- :mod:`host.outgoing.outcomes`: what becomes of a delivery and its endpoint after a try
- :mod:`host.outgoing.erasing`: what was taken back or erased is removed here too
"""
