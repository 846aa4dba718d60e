"""The number of requests that a rule costs, as text."""

from sync.mirrors.rules import Rule
from syncify.text import counted

_PERIODS = {"daily": "a day", "weekly": "a week", "monthly": "a month"}


def cost_of(rule: Rule) -> str:
    """Such as "At most 1 request a day", without reading the likes, which all mirrors share."""
    if rule.refresh == "sync":
        return "Nothing while its songs stay the same, at most 3 requests when they change."
    period = _PERIODS[rule.refresh]
    if rule.limit is None:
        return f"At most 1 request {period} for each 100 songs."
    requests = -(-rule.limit // 100)
    return f"At most {counted(requests, 'request')} {period}."
