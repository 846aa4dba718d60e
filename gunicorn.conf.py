"""The web server's settings; GUNICORN_CMD_ARGS and the command line override them."""

import os

wsgi_app = "syncify.asgi:application"
worker_class = "asgi"
workers = int(os.environ.get("WEB_CONCURRENCY", "1"))
bind = "127.0.0.1:8000"
graceful_timeout = 8
keepalive = 5
# The control socket lives in $HOME, which a container need not have.
control_socket_disable = True
accesslog = None
