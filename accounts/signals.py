"""Signals that other apps subscribe to; accounts imports none of them."""

from django.dispatch import Signal

#: Sent inside the transaction in which a listener connected Spotify: ``user``, ``first`` (their
#: first sign-in here).
spotify_connected = Signal()

#: Sent inside the transaction that ends some or all of a listener's sessions: ``user_id``.
access_ended = Signal()

#: Sent inside the transaction that changes whether Spotify lets us act for a listener, except by a
#: sign-in: ``user_id``.
connection_changed = Signal()

#: Sent at the start of each transaction that locks a listener's rows of ``users`` or
#: ``spotify_connections`` and of other tables: ``user_id``. Receivers lock their own rows of that
#: listener. So the order is the same everywhere (other apps' rows, user, connection), and no two
#: transactions wait for each other.
account_locking = Signal()
