"""``lobby`` at ``THEN``, an ISO time: nothing of a recorded desk is late, whenever a test runs."""

from __future__ import annotations

import os
from datetime import datetime

from host.cli.commands import main
from host.core import clock

if __name__ == "__main__":
    with clock.travel(datetime.fromisoformat(os.environ["THEN"]) - clock.now()):
        main()
