"""The web server's settings; GUNICORN_CMD_ARGS and the command line override them."""

import asyncio
import logging.config
import os
import sys
from importlib import import_module
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from gunicorn.config import Config
from gunicorn.errors import AppImportError
from gunicorn.glogging import Logger
from gunicorn.workers.base import Worker

from syncify.env import env_int
from syncify.logs import logging_config

os.environ.setdefault("DATABASE_POOL_SIZE", "10")

wsgi_app = "syncify.asgi:application"
worker_class = "asgi"
try:
    workers = env_int("WEB_CONCURRENCY", default=1, least=1, most=1000)
    LOGGING = logging_config()
except ImproperlyConfigured as problem:
    sys.exit(str(problem))
bind = "127.0.0.1:8000"
graceful_timeout = 8
keepalive = 5
# The control socket lives in $HOME, which a container need not have.
control_socket_disable = True
accesslog = None


class logger_class(Logger):  # noqa: N801 - the setting's name
    """gunicorn's own lines, in the form of all others."""

    def setup(self, cfg: Config) -> None:
        super().setup(cfg)
        logging.config.dictConfig(LOGGING)


def post_fork(_server: object, _worker: Worker) -> None:
    """Raises AppImportError, of which gunicorn prints the line alone before it ends."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "syncify.settings")
    try:
        import_module(os.environ["DJANGO_SETTINGS_MODULE"])
    except ImproperlyConfigured as error:
        raise AppImportError(str(error)) from error


def post_worker_init(worker: Any) -> None:
    # The settings are ready only now.
    from django.db import connection  # noqa: PLC0415

    from accounts.operators import tell_operator_code  # noqa: PLC0415
    from sync.pages.events import hub  # noqa: PLC0415

    async def watch() -> None:
        """End the event streams as soon as the worker is to stop: it waits for what is open."""
        while worker.alive:  # noqa: ASYNC110 - gunicorn has no event for it
            await asyncio.sleep(0.25)
        hub.close()

    worker.watching = worker.loop.create_task(watch())
    if worker.age == 1:  # of several that start together, one is enough to tell
        tell_operator_code()
        connection.close()


def worker_exit(_server: object, _worker: Worker) -> None:
    """Close the pools, whose threads would otherwise be waited for."""
    from django.conf import settings  # noqa: PLC0415 - ready only now
    from django.db import connections  # noqa: PLC0415

    if not settings.configured:  # they were wrong, and nothing was opened
        return
    for connection in connections.all(initialized_only=True):
        connection.close_pool()
