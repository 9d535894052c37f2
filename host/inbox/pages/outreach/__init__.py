"""Pages to write to a contact first, such as by email, and threads that continue others."""
