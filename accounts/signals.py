"""What accounts tells whoever stands on it; it knows none of them."""

from django.dispatch import Signal

#: Sent inside the transaction in which a listener connected Spotify: ``user``, ``first`` (their
#: first sign-in here).
spotify_connected = Signal()

#: Sent inside the transaction that ends some or all of a listener's sessions: ``user_id``.
access_ended = Signal()

#: Sent inside the transaction that changes whether Spotify lets us act for a listener, a sign-in
#: apart: ``user_id``.
connection_changed = Signal()
