"""The only place that knows asyncari: Asterisk seen through the `Switch` port."""
