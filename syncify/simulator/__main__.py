"""``python -m syncify.simulator``: the stand-in Spotify by itself."""

from syncify.simulator.server import main

if __name__ == "__main__":
    main()
