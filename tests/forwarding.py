"""A TCP port in front of the tests' PostgreSQL, which can be taken away and given back."""

import selectors
import socket
import threading
from contextlib import suppress
from pathlib import Path

from django.db import connection


class Forwarder:
    """Listens on a port of this machine from ``open`` to ``close``."""

    def __init__(self) -> None:
        with connection.cursor() as cursor:
            info = cursor.connection.info
        self._target = str(Path(info.host) / f".s.PGSQL.{info.port}")
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        self._listening: socket.socket | None = None
        self._pairs: list[socket.socket] = []

    def open(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=[self._listening], daemon=True).start()

    def close(self) -> None:
        """As if the server was killed."""
        if self._listening:
            self._listening.shutdown(socket.SHUT_RDWR)
            self._listening.close()
        for one in self._pairs:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        self._pairs.clear()
        self._listening = None

    def _accept(self, listening: socket.socket) -> None:
        with suppress(OSError):
            while True:
                caller, _ = listening.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(self._target)
                self._pairs += [caller, server]
                threading.Thread(target=self._carry, args=[caller, server], daemon=True).start()

    def _carry(self, caller: socket.socket, server: socket.socket) -> None:
        with selectors.DefaultSelector() as ready, suppress(OSError, ValueError):
            ready.register(caller, selectors.EVENT_READ, server)
            ready.register(server, selectors.EVENT_READ, caller)
            while True:
                for key, _ in ready.select():
                    data = key.fileobj.recv(65536)  # type: ignore[union-attr]
                    if not data:
                        caller.close()
                        server.close()
                        return
                    key.data.sendall(data)
