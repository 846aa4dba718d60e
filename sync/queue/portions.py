"""Portions of all listeners, for chores that need not look at everybody at each turn."""

import random
from typing import Any

from django.db.models import Max, QuerySet


def a_portion(rows: QuerySet[Any], most: int) -> list[int]:
    """The primary keys of ``most`` rows that follow each other, from a random one on.

    All of them where there are no more. Whoever asks again and again sees each row equally often,
    and neither needs to remember where the last portion ended nor agree with others about it.
    """
    keys = rows.order_by("pk").values_list("pk", flat=True)
    highest = rows.aggregate(highest=Max("pk"))["highest"]
    if highest is None:
        return []
    start = random.randint(0, highest)  # noqa: S311 - no secret
    found = list(keys.filter(pk__gte=start)[:most])
    return found + list(keys.filter(pk__lt=start)[: most - len(found)])
