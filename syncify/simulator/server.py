"""The simulator as a server: one port for both hosts, on a thread or as a command."""

import argparse
import io
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from types import FrameType
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from syncify.simulator import app, faults
from syncify.simulator.behaviour import SEATS, Behaviour
from syncify.simulator.grants import Client
from syncify.simulator.serving import Handler, Served
from syncify.simulator.state import World
from syncify.simulator.wire import PlainError, Request, Response

BODY_MAX = 2**20


class _Handler(Handler):
    def _answer(self) -> None:
        server: Any = self.server
        length = int(self.headers.get("Content-Length") or 0)
        if length > BODY_MAX:
            self.close_connection = True
            response = PlainError(413, "Payload too large").response()
        else:
            response = app.answer(server.owner, self._request(self.rfile.read(length)))
        if response.delay:
            server.let_go.wait(response.delay)
        if response.end == "drop":
            self.cut()
            return
        self.send_response(response.status)
        for name, value in response.headers.items():
            self.send_header(name, value)
        if response.status != 204:
            self.send_header("Content-Length", str(len(response.body)))
        if response.drip:
            self._drip(response)
            return
        self.end_headers()
        if response.end == "truncate":
            self.wfile.write(response.body[: len(response.body) // 2])
            self.cut()
        else:
            self.wfile.write(response.body)

    do_GET = do_POST = do_PUT = do_DELETE = _answer  # noqa: N815

    def _request(self, body: bytes) -> Request:
        url = urlsplit(self.path)
        return Request(
            method=self.command,
            path=unquote(url.path).rstrip("/") or "/",
            query=dict(parse_qsl(url.query, keep_blank_values=True)),
            headers=self.header_fields(),
            body=body,
            base=f"http://{self.headers.get('Host') or 'localhost'}",
        )

    def _drip(self, response: Response) -> None:
        """Send headers and body byte by byte, until ``let_go`` or the end."""
        slow, self.wfile = self.wfile, io.BytesIO()
        self.end_headers()
        whole, self.wfile = self.wfile.getvalue() + response.body, slow
        let_go = self.server.let_go  # type: ignore[attr-defined]
        for at in range(len(whole)):
            if let_go.wait(response.drip):
                self.close_connection = True
                break
            self.wfile.write(whole[at : at + 1])
            self.wfile.flush()


class Simulator(World, Served):
    """A ``World`` served over HTTP from ``start`` to ``stop``; ``with`` does both."""

    handler = _Handler

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        client: Client | None = None,
        more_clients: Sequence[Client] = (),
        behaviour: Behaviour | None = None,
    ) -> None:
        Served.__init__(self, host=host, port=port)
        World.__init__(self, client=client, more_clients=more_clients, behaviour=behaviour)

    @property
    def accounts_url(self) -> str:
        return self.url

    @property
    def api_url(self) -> str:
        return f"{self.url}/v1/"

    def reset(self) -> None:
        super().reset()
        self.let_go()


def _fault(written: str) -> str:
    try:
        faults.parse(written)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return written


def _app(written: str) -> Client:
    parts = written.split(",")
    if len(parts) != 4 or not parts[0]:
        raise argparse.ArgumentTypeError("ID,SECRET,DEVELOPER,LISTENER+LISTENER")
    client_id, secret, developer, listeners = parts
    seats = frozenset(filter(None, listeners.split("+")))
    if len(seats) > SEATS:
        raise argparse.ArgumentTypeError(f"an app has {SEATS} seats")
    return Client(client_id, secret, developer=developer, allow_list=seats)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=9090)
    parser.add_argument("--client-id", default=Client.id)
    parser.add_argument("--client-secret", default=Client.secret)
    parser.add_argument(
        "--redirect-uri",
        action="append",
        default=[],
        help="registered besides /accounts/callback/ on any loopback port; may be repeated",
    )
    parser.add_argument(
        "--app",
        type=_app,
        action="append",
        default=[],
        metavar="ID,SECRET,DEVELOPER,LISTENER+…",
        help="a further app, with up to five seats and its developer's own quota; may be repeated",
    )
    parser.add_argument(
        "--fault",
        type=_fault,
        action="append",
        default=[],
        metavar="NAME[:key=value,…]",
        help="trouble to cause, as listed in syncify.simulator.faults; may be repeated",
    )
    parser.add_argument(
        "--chaos", type=float, metavar="SHARE", help="share of calls to fail, 0 to 1"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the chaos")
    parser.add_argument("--latency", type=float, default=0.0, metavar="SECONDS")
    parser.add_argument("--window", type=int, metavar="CALLS", help="allowed in any 30 seconds")
    parser.add_argument("--daily-quota", type=int, metavar="CALLS", help="allowed in any 24 hours")


def run_from_options(options: Mapping[str, Any]) -> None:
    """Serve until SIGINT or SIGTERM."""
    client = Client(
        options["client_id"],
        options["client_secret"],
        (*Client.redirect_uris, *options["redirect_uri"]),
    )
    behaviour = Behaviour(
        latency=timedelta(seconds=options["latency"]),
        window_limit=options["window"],
        daily_quota=options["daily_quota"],
    )
    simulator = Simulator(
        host=options["host"],
        port=options["port"],
        client=client,
        more_clients=[replace(more, redirect_uris=client.redirect_uris) for more in options["app"]],
        behaviour=behaviour,
    )
    for written in options["fault"]:
        simulator.fault(written)
    if options["chaos"]:
        simulator.chaos(options["seed"], options["chaos"])
    stopping = False

    def stop(_signum: int, _frame: FrameType | None) -> None:
        nonlocal stopping
        stopping = True

    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, stop)
    with simulator:
        sys.stdout.write(f"Simulated Spotify on {simulator.accounts_url}/simulator/\n")
        sys.stdout.flush()
        while not stopping:
            time.sleep(0.2)


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m syncify.simulator", description=__doc__)
    add_arguments(parser)
    run_from_options(vars(parser.parse_args(argv)))
