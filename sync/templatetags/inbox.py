"""``{% load inbox %}``: how many songs wait in a listener's inbox."""

from django import template
from django.template import Context

from accounts.models import User
from sync.models import InboxItem

register = template.Library()


@register.simple_tag(takes_context=True)
def inbox_count(context: Context, user: User) -> int:
    """Counted here only where the page did not count them together with something else."""
    counted: int | None = getattr(context["request"], "inbox_count", None)
    if counted is not None:
        return counted
    return InboxItem.objects.filter(user=user, state=InboxItem.State.WAITING).count()
