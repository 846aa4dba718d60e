"""``python -m syncify.simulator``: runs the simulated Spotify alone."""

from syncify.simulator.server import main

if __name__ == "__main__":
    main()
