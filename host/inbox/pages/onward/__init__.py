"""Writing by e-mail where a reply window is closed, and the thread that goes on from another."""
