"""What goes along with a message: where it goes from, what it quotes, what it forwards."""
