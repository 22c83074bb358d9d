# One image for all commands, such as `rendercast serve` and `rendercast worker`: locked packages, the sources and the
# pages, without a compiler and pip. It runs as an unprivileged user and writes to /data and /tmp only, so the root file
# system can be read-only. Base images have exact versions; Dependabot proposes newer ones.

# `--build-arg VARIANT=node` adds what workers need to render Remotion projects: Node, npm, a browser and fonts.
ARG VARIANT=plain

FROM node:22.23.2-trixie-slim AS nodejs

# The npm packages of the pages and of colour emoji: the files that are used, and licences.
FROM nodejs AS web
WORKDIR /app/web
COPY web/package.json web/package-lock.json web/.npmrc ./
RUN --mount=type=cache,target=/cache/npm npm ci --cache /cache/npm --omit=dev
RUN find node_modules -type f ! -name '*.min.js' ! -name '*.min.css' ! -name '*.umd.js' ! -name 'style.css' \
        ! -name 'noto-color-emoji-emoji-400-normal.woff' ! -iname 'licen[sc]e*' -delete \
    && find node_modules -type d -empty -delete

# Packages are installed before the sources are copied, so that a change of the sources does not install them again.
FROM python:3.11.16-slim-trixie AS packages
WORKDIR /build
COPY requirements/extras.lock ./
RUN python -m venv --without-pip /venv
# The last line removes the build backend, which the lock file contains for `make run`. The cache is a mount and not part
# of the image, which hadolint does not recognise:
# hadolint ignore=DL3042
RUN --mount=type=cache,target=/cache/pip \
    pip --python /venv/bin/python --cache-dir /cache/pip install \
        --require-hashes --only-binary :all: --requirement extras.lock \
    && pip --python /venv/bin/python uninstall --yes hatchling pathspec pluggy tomlkit trove-classifiers
RUN printf '%s\n' '#!/venv/bin/python' 'from cli import main' 'main()' > /venv/bin/rendercast \
    && chmod 755 /venv/bin/rendercast

FROM python:3.11.16-slim-trixie AS sources
WORKDIR /app
COPY LICENSE app.py cli.py ./
COPY auth auth
COPY clients/python/rendercast rendercast
COPY commands commands
COPY pages pages
COPY resolvers resolvers
COPY schema schema
COPY services services
COPY transport transport
COPY web/studio web/studio
# Make files readable after a checkout with a strict umask. Compile without a check of modification times, which differ
# between copies.
RUN chmod -R a+rX . && python -m compileall -q --invalidation-mode unchecked-hash . && mkdir /data

FROM python:3.11.16-slim-trixie AS plain
# The base image has its standard library uncompiled. With a read-only file system each process, including the child
# process of each render, would compile it again.
RUN pip uninstall --yes --root-user-action ignore setuptools wheel pip \
    && python -m compileall -q --invalidation-mode unchecked-hash /usr/local/lib

# Remotion's packages are not in it: they are part of the user's project, which is copied to /project.
FROM plain AS node
COPY --from=nodejs /usr/local/bin/node /usr/local/bin/node
COPY --from=nodejs /usr/local/lib/node_modules/npm /usr/local/lib/node_modules/npm
# Debian has only the newest version of a package: a browser with an exact version could not be installed after its next
# security update. libatomic1 is what Node needs.
# hadolint ignore=DL3008
RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm \
    && ln -s ../lib/node_modules/npm/bin/npx-cli.js /usr/local/bin/npx \
    && apt-get update \
    && apt-get install --yes --no-install-recommends chromium-headless-shell libatomic1 \
        fonts-liberation fonts-noto-core fonts-noto-cjk fonts-noto-color-emoji \
    && rm -rf /var/lib/apt/lists/*
ENV REMOTION_PROJECT=/project

FROM ${VARIANT}
LABEL org.opencontainers.image.title="Rendercast" \
    org.opencontainers.image.description="A GraphQL API that renders videos: API processes and workers."
COPY --from=packages /venv /venv
COPY --from=web /app/web/node_modules /app/web/node_modules
COPY --from=sources /app /app
COPY --from=sources --chown=10001:10001 /data /data
WORKDIR /app
# MOTOR_MAX_WORKERS: threads for MongoDB. Motor's default is five per core of the machine, which can exceed the
# container's limit of processes.
ENV PATH=/venv/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONPATH=/app \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp \
    MOTOR_MAX_WORKERS=16 \
    RENDERCAST_DATA_DIR=/data \
    RENDERCAST_HOST=0.0.0.0 \
    RENDERCAST_METRICS_HOST=127.0.0.1 \
    RENDERCAST_METRICS_PORT=9464
USER 10001:10001
VOLUME /data
EXPOSE 8000 9464
STOPSIGNAL SIGTERM
# Healthy while the background loops of the process run, even if MongoDB is unavailable: a restart would not help.
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 CMD ["python", "-c", "\
import http.client, os, sys; \
at = http.client.HTTPConnection(os.environ['RENDERCAST_METRICS_HOST'], int(os.environ['RENDERCAST_METRICS_PORT']), timeout=4); \
at.request('GET', '/healthz'); \
sys.exit(at.getresponse().status != 200)"]
ENTRYPOINT ["rendercast"]
CMD ["serve"]
