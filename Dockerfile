FROM python:3.13-slim-bookworm AS packages
COPY requirements.txt .
RUN python -m venv --without-pip /venv \
    && pip --python /venv/bin/python install --no-cache-dir --disable-pip-version-check \
        --require-hashes -r requirements.txt

FROM python:3.13-slim-bookworm
ENV PATH=/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    GUNICORN_CMD_ARGS="--bind 0.0.0.0:8000" \
    SYNCIFY_DATA_DIR=/data
RUN groupadd --gid 10001 syncify \
    && useradd --uid 10001 --gid syncify --no-create-home --shell /usr/sbin/nologin syncify \
    # A new volume takes over owner and mode of the folder it covers. PostgreSQL passes through it
    # to its password; the other files are ours alone.
    && install --directory --owner syncify --group syncify --mode 0711 /data
COPY --from=packages /venv /venv
WORKDIR /app
COPY . .
# The settings want a client ID; the secrets that they make here are thrown away.
RUN SPOTIFY_CLIENT_ID=build SYNCIFY_DATA_DIR=/tmp/build python manage.py collectstatic --noinput \
    && rm -r /tmp/build \
    && python -m compileall -q .
USER syncify
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --start-interval=1s CMD \
    ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
CMD ["gunicorn"]
