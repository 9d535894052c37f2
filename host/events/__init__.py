"""The event log: all events of the desk, each once and in order, and the consumers that read it."""
