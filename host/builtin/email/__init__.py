"""E-mail, the host's own channel: an addon like any other, which comes with the host."""
