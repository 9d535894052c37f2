"""Reading conversations that no webhook brought: earlier ones, and messages missed since."""
