"""Work on the queues: apply received events to the inbox, send replies, and repeat the jobs of features.

In the order a message travels; read :mod:`~host.delivery.worker` first, then ``inbound`` and ``outbound``.

- ``worker``: the threads of a process: claim, process and renew lanes.
- ``inbound``: read the events of claimed lanes, parse them with the adapter, apply them, record the outcome.
- ``outbound``: send the replies of a lane in order. ``outbox_head``: read the first open reply and make the
  adapter's request. ``results``: apply the provider's answer to the reply, account and customer.
  ``agent_messages``: its texts for agents.
- ``waiting``: replies that wait for a limit, new credentials or an inactive channel.
- ``reactions``, ``profiles``: send reactions to the provider; request names and pictures.
- ``history``: read an account's history, also after an outage. ``merging``: merge one page.
- ``housekeeping``: delete expired data.
- ``clock_moved_back``: bring delayed work forward after the system clock moved back.
- ``fixture_recorder``: turn a received event into an anonymous test fixture.
- ``pages``: the admins' pages of received events.
"""
