"""Outgoing webhooks: events sent to other programs, at least once and in order per conversation.

- :mod:`host.events.bodies`: request bodies, built from the event log
- :mod:`host.webhooks.endpoints`: endpoints and the events they subscribe to
- :mod:`host.webhooks.queue`: deliveries in ordered queues (lanes), one for each endpoint and conversation
- :mod:`host.webhooks.sending`: the threads that send them
- :mod:`host.webhooks.outcomes`: the state of a delivery and its endpoint after an attempt
- :mod:`host.webhooks.erasing`: deleted and erased content is removed here too
- :mod:`host.webhooks.health`: problems and metrics, for those who run the desk
"""
