"""A simulated Spotify for the demo and the tests; it shares no code with the product."""
