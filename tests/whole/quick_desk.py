"""``lobby`` with short patience: the same code, its delays of minutes turned into moments.

The delays live in one module of constants; this sets them before the command starts, so nothing in the
product asks whether it is being tested.
"""

from __future__ import annotations

from datetime import timedelta

from host.cli.commands import main
from host.core import db, marks
from host.notifications import mail
from host.queue import policy

policy.LEASE = timedelta(seconds=4)
policy.RENEW_AFTER = timedelta(seconds=1)
policy.RENEW_SECONDS = 0.5
policy.SWEEP_SECONDS = 0.4
policy.EVENT_DELAYS = tuple(timedelta(seconds=seconds) for seconds in (0.2, 0.5, 1, 2))
policy.SEND_DELAYS = tuple(timedelta(seconds=seconds) for seconds in (0.2, 0.5, 1, 2))
policy.ECHO_PATIENCE = timedelta(seconds=2)
policy.READING_GAP = timedelta(seconds=1)
policy.TRANSIENT_PAUSES = tuple(timedelta(seconds=seconds) for seconds in (0.5, 1, 1.5))

# Longer than anything a desk does in one transaction, and shorter than what a test freezes it for.
db.IDLE_SECONDS = 3
db.LOCK_SECONDS = 3

# Processes are killed from outside here, over and over, and three in a row may well be in an addon's code.
marks.DEATHS = 1_000_000

mail.FIRST_PAUSE = timedelta(seconds=1)

if __name__ == "__main__":
    main()
