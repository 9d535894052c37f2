"""Background jobs that watch connected accounts and renew their tokens."""
