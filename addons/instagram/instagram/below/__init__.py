"""What stands below posts: comments and mentions, on accounts beside those of Direct."""
