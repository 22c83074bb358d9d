# One image for `rendercast serve` and `rendercast worker`. Built from the lock file; runs as a user without rights.
FROM node:22-slim AS web
WORKDIR /web
COPY web/package.json web/package-lock.json web/.npmrc ./
RUN npm ci --omit=dev

FROM python:3.11-slim
WORKDIR /app
RUN useradd --system --uid 10001 --home-dir /app rendercast && install -d -o rendercast /data
COPY requirements/run.lock requirements/
RUN pip install --no-cache-dir --require-hashes -r requirements/run.lock
COPY --from=web /web/node_modules web/node_modules
COPY web/studio web/studio
COPY pyproject.toml README.md LICENSE app.py cli.py ./
COPY commands commands
COPY schema schema
COPY resolvers resolvers
COPY services services
RUN pip install --no-cache-dir --no-deps --no-build-isolation -e . && python -m compileall -q .
USER rendercast
ENV RENDERCAST_DATA_DIR=/data RENDERCAST_HOST=0.0.0.0 PYTHONUNBUFFERED=1
VOLUME /data
EXPOSE 8000
ENTRYPOINT ["rendercast"]
CMD ["serve"]
