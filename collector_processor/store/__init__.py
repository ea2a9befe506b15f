"""Keep sealed traces and what was found in them; SQLite now, plain SQL for PostgreSQL later."""
