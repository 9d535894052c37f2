"""Labels that sort the conversations of a workspace."""
