"""What customers write in public below posts: answering it there, once privately, hiding and deleting it."""
