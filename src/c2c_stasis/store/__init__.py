"""The only place with SQL: tables, repositories and migrations."""
