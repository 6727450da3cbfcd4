"""The story of one call, drawn as a ladder, and its decisions made again."""
