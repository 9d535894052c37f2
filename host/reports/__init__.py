"""What the record adds up to: how long customers waited, how much there was to do, who did it."""
