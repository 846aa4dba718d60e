"""Database backend for a PostgreSQL that may lose its primary."""
