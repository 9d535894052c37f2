"""A toy channel: what an addon looks like at its smallest."""
