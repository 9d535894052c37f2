"""Routes about posts and what customers write below them."""
