"""Pages of comments on posts."""
