"""The job queue in ``sync_requests``: plain functions, a worker and a scheduler."""
