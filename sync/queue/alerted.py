"""Whether the operator was alerted of an incident, for pages that mention it."""

from sync.models import Incident


def was_delivered(key: str) -> bool:
    """Whether an alert of the open incident ``key`` has reached at least one address."""
    return Incident.objects.filter(key=key, closed=None, alerted_at__isnull=False).exists()
