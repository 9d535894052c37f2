"""Pages of what customers write below posts."""
