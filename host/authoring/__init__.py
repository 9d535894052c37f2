"""For whoever writes an addon: one to start from, a desk to try it on, a check at the end."""
