"""Portions of a table, for chores that need not read all rows at each turn."""

import random
from typing import Any

from django.db.models import Max, Min, QuerySet


def a_portion(rows: QuerySet[Any], most: int) -> list[int]:
    """The primary keys of ``most`` consecutive rows, from a random one on.

    All keys if there are fewer rows. Repeated calls return every row in time, without a stored
    position and without coordination between processes.
    """
    keys = rows.order_by("pk").values_list("pk", flat=True)
    ends = rows.aggregate(lowest=Min("pk"), highest=Max("pk"))
    if ends["highest"] is None:
        return []
    start = random.randint(ends["lowest"], ends["highest"])  # noqa: S311 - no secret
    found = list(keys.filter(pk__gte=start)[:most])
    return found + list(keys.filter(pk__lt=start)[: most - len(found)])
