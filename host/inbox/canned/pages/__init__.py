"""Pages of canned replies and macros."""
