"""Store received events and outgoing replies until they are processed. It doesn't import the inbox.

In the order a message travels; read :mod:`~host.queue.journal` and :mod:`~host.queue.lanes` first.

In:

- ``journal``: make webhook requests durable, many in one commit. ``journal_rows``: its SQL and rows.
- ``spool``: keep requests as files while the database does not answer.
- ``refusals``: count requests that fail the signature check; note when an address was verified.

Between:

- ``lanes``: order, leases and fences; a lane holds the events, or the replies, of one customer.
  ``account_rotation``: which lanes come next, so that no account starves another.
- ``wakeups``: wake the workers of this process. ``announcing``: those of others, over ``dramatiq_broker``.
- ``policy``: every delay, limit and time-out.

Out:

- ``outbox``: enqueue replies, make them due.
- ``send_limiter``: start calls within the provider's limits, which ``limit_counters`` counts.
- ``signals``: show customers that an agent types or has read.
- ``catch_ups``: request that an account's history is read.

Afterwards:

- ``event_search``: find events for the admins' pages. ``replay``: make one pending again.
- ``journal_erasure``: remove the content of deleted messages.

An event that failed for good is a *dead letter*: it keeps its content and its reason, and waits for a replay.
"""
