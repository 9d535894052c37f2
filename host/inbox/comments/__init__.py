"""Comments: customers' public messages below posts, with public and private replies, hiding and deleting."""
