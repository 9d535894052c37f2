"""Bodies of events that are larger than one row holds."""
