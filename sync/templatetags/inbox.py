"""``{% load inbox %}``: how many songs wait in a listener's inbox."""

from django import template

from accounts.models import User
from sync.models import InboxItem

register = template.Library()


@register.simple_tag
def inbox_count(user: User) -> int:
    return InboxItem.objects.filter(user=user, state=InboxItem.State.WAITING).count()
