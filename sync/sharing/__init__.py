"""Songs that a listener shows to others: share links and feeds, pairs of listeners."""
