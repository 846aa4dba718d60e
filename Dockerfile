FROM python:3.13-slim-bookworm AS packages
COPY requirements.txt .
RUN python -m venv --without-pip /venv \
    && pip --python /venv/bin/python install --no-cache-dir --disable-pip-version-check \
        --require-hashes -r requirements.txt \
    # What the translations were compiled from: 10 MB that nothing reads.
    && find /venv -name '*.po' -delete

FROM python:3.13-slim-bookworm
ENV PATH=/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    GUNICORN_CMD_ARGS="--bind 0.0.0.0:8000" \
    SYNCIFY_DATA_DIR=/data
# A new volume takes over the mode of the folder that it covers. As with /tmp, any user may make
# files in it, which are then theirs alone; so the image runs under any uid.
RUN install --directory --mode 1777 /data /backups
COPY --from=packages /venv /venv
WORKDIR /app
COPY . .
# The settings want a client ID; the secrets that they make here are thrown away.
RUN SPOTIFY_CLIENT_ID=build SYNCIFY_DATA_DIR=/tmp/build python manage.py collectstatic --noinput \
    && rm -r /tmp/build \
    && python -m compileall -q .
ARG VERSION=unknown REVISION=unknown
LABEL org.opencontainers.image.title="Syncify" \
    org.opencontainers.image.description="Keeps a Spotify playlist equal to your Liked Songs." \
    org.opencontainers.image.licenses="MIT" \
    org.opencontainers.image.version=$VERSION \
    org.opencontainers.image.revision=$REVISION
USER 10001:10001
EXPOSE 8000
# By the shell's own means: a Python that only asks this would be the largest part of what an idle
# installation spends.
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --start-interval=1s CMD \
    ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/8000 && printf 'GET /healthz HTTP/1.0\\r\\nHost: localhost\\r\\n\\r\\n' >&3 && read -r _ status _ <&3 && [ \"$status\" = 200 ]"]
CMD ["gunicorn"]
