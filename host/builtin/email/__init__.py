"""E-mail, the host's own channel: an addon like any other that happens to come with the host."""
