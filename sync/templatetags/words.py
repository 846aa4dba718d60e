"""``{% load words %}``: times as people say them, names as they may be shown."""

from datetime import datetime

from django import template
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from sync.pages.words import clock, relative
from syncify.text import plain

register = template.Library()
register.filter("plain", plain, is_safe=True)


@register.filter
def moment(when: datetime) -> SafeString:
    """A ``<time>`` as "3 minutes ago", which app.js keeps right; its title is the clock's time."""
    now = timezone.now()
    return format_html(
        '<time datetime="{}" title="{}" data-relative>{}</time>',
        when.isoformat(timespec="seconds"),
        clock(when, now),
        relative(when, now),
    )


@register.filter
def in_percent(share: float) -> str:
    return f"{share:.0%}"
