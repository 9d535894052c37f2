"""The Today page: what came in, who answered, what automation said, who waits and what stops."""
