"""Portions of a table, for chores that need not read all rows at each turn."""

import random
from typing import Any

from django.db.models import Max, QuerySet


def a_portion(rows: QuerySet[Any], most: int) -> list[int]:
    """The primary keys of ``most`` consecutive rows, from a random one on.

    All keys if there are fewer rows. Repeated calls return each row equally often, without a
    stored position and without coordination between processes.
    """
    keys = rows.order_by("pk").values_list("pk", flat=True)
    highest = rows.aggregate(highest=Max("pk"))["highest"]
    if highest is None:
        return []
    start = random.randint(0, highest)  # noqa: S311 - no secret
    found = list(keys.filter(pk__gte=start)[:most])
    return found + list(keys.filter(pk__lt=start)[: most - len(found)])
