"""How the tables came to be, one step at a time; Alembic runs them in order."""
