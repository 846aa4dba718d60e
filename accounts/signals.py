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

#: Sent inside a transaction that has just locked the listener's row of ``users`` and goes on to
#: lock or change other rows of theirs: ``user_id``. Receivers lock their own rows of that listener,
#: so that the order is the same everywhere (``sync.queue.locks``).
account_locked = Signal()

#: Sent to ask how many seats of Spotify's apps are promised to people who have not signed in:
#: receivers return a mapping of Client IDs, "" for the first app, to numbers.
seats_promised = Signal()
