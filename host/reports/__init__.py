"""Reports from the event log: how long customers waited, the amount of work, and who did it."""
