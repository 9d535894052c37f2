"""Routes of posts and the comments on them."""
