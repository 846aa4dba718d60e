"""The database backend that starts a private PostgreSQL when DATABASE_URL is unset."""
