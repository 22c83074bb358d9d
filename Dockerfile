# One image for `rendercast serve` and `rendercast worker`: locked packages, the sources and the pages; no compiler, no
# pip, nobody's rights. It writes to /data and /tmp only, so all else may be read-only.

# The pages' npm packages: of each, what browsers load, and its licence.
FROM node:22-trixie-slim AS web
WORKDIR /app/web
COPY web/package.json web/package-lock.json web/.npmrc ./
RUN --mount=type=cache,target=/cache/npm npm ci --cache /cache/npm --omit=dev
RUN find node_modules -type f ! -name '*.min.js' ! -name '*.min.css' ! -name '*.umd.js' ! -name 'style.css' \
        ! -iname 'licen[sc]e*' -delete \
    && find node_modules -type d -empty -delete

# What is locked comes before the sources, so that it is installed again only when it changes.
FROM python:3.11-slim-trixie AS packages
WORKDIR /build
COPY requirements/tracing.lock ./
RUN python -m venv --without-pip /venv
# The last line removes the build backend, which the lock has for `make run`: here the sources run where they lie. The
# cache stays outside of the image, which this rule doesn't see:
# hadolint ignore=DL3042
RUN --mount=type=cache,target=/cache/pip \
    pip --python /venv/bin/python --cache-dir /cache/pip install \
        --require-hashes --only-binary :all: --requirement tracing.lock \
    && pip --python /venv/bin/python uninstall --yes hatchling pathspec pluggy tomlkit trove-classifiers
RUN printf '%s\n' '#!/venv/bin/python' 'from cli import main' 'main()' > /venv/bin/rendercast \
    && chmod 755 /venv/bin/rendercast

FROM python:3.11-slim-trixie AS sources
WORKDIR /app
COPY LICENSE app.py cli.py ./
COPY auth auth
COPY commands commands
COPY pages pages
COPY resolvers resolvers
COPY schema schema
COPY services services
COPY transport transport
COPY web/studio web/studio
# Readable whatever the checkout's umask was, and compiled for good, whatever time a copy of a file bears.
RUN chmod -R a+rX . && python -m compileall -q --invalidation-mode unchecked-hash . && mkdir /data

FROM python:3.11-slim-trixie
LABEL org.opencontainers.image.title="Rendercast" \
    org.opencontainers.image.description="A GraphQL API that turns Render buttons into videos: serve and worker."
# The base image has its library uncompiled, and nobody could keep what each process, each render's too, would compile.
RUN pip uninstall --yes --root-user-action ignore setuptools wheel pip \
    && python -m compileall -q --invalidation-mode unchecked-hash /usr/local/lib
COPY --from=packages /venv /venv
COPY --from=web /app/web/node_modules /app/web/node_modules
COPY --from=sources /app /app
COPY --from=sources --chown=10001:10001 /data /data
WORKDIR /app
ENV PATH=/venv/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONPATH=/app \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp \
    RENDERCAST_DATA_DIR=/data \
    RENDERCAST_HOST=0.0.0.0 \
    RENDERCAST_METRICS_HOST=127.0.0.1 \
    RENDERCAST_METRICS_PORT=9464
USER 10001:10001
VOLUME /data
EXPOSE 8000 9464
STOPSIGNAL SIGTERM
# Whether the loops of the process go on, of `serve` and `worker` alike; a MongoDB that is away is no reason to restart.
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 CMD ["python", "-c", "\
import http.client, os, sys; \
at = http.client.HTTPConnection(os.environ['RENDERCAST_METRICS_HOST'], int(os.environ['RENDERCAST_METRICS_PORT']), timeout=4); \
at.request('GET', '/healthz'); \
sys.exit(at.getresponse().status != 200)"]
ENTRYPOINT ["rendercast"]
CMD ["serve"]
