"""Writing by email where a reply window is closed, and the thread that goes on from another."""
