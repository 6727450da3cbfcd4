"""Self-hosted click-to-call on Asterisk."""
