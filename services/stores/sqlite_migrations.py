"""The migrations of the embedded store's file."""

# A file's `user_version` is the number of migrations applied to it. Append new ones; never change the result of a
# released one.
MIGRATIONS = (
    """
    CREATE TABLE renders (
        id TEXT PRIMARY KEY,
        owner TEXT NOT NULL,
        revision INTEGER NOT NULL,
        status TEXT NOT NULL,
        generation_id TEXT,
        idempotency_key TEXT,
        due_at INTEGER,
        lease_worker TEXT,
        lease_until INTEGER,
        document TEXT NOT NULL
    ) STRICT;
    CREATE INDEX renders_of_owner ON renders (owner, id);
    CREATE UNIQUE INDEX renders_by_key ON renders (owner, idempotency_key) WHERE idempotency_key IS NOT NULL;
    CREATE INDEX renders_unfinished ON renders (id, status) WHERE status IN ('queued', 'rendering');
    CREATE INDEX renders_unfinished_of_owner ON renders (owner, id) WHERE status IN ('queued', 'rendering');
    CREATE INDEX renders_queued ON renders (status, id) WHERE status = 'queued';
    CREATE INDEX renders_leased ON renders (lease_worker) WHERE lease_worker IS NOT NULL;
    CREATE TABLE quota_units (
        render_id TEXT PRIMARY KEY,
        owner TEXT NOT NULL,
        window_starts_at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX quota_units_of_window ON quota_units (owner, window_starts_at);
    CREATE INDEX quota_units_by_age ON quota_units (window_starts_at);
    """,
    """
    CREATE TABLE webhooks (
        id TEXT PRIMARY KEY,
        revision INTEGER NOT NULL,
        status TEXT NOT NULL,
        occurred_at INTEGER NOT NULL,
        due_at INTEGER,
        expires_at INTEGER,
        lease_worker TEXT,
        lease_until INTEGER,
        document TEXT NOT NULL
    ) STRICT;
    CREATE INDEX webhooks_by_age ON webhooks (occurred_at);
    CREATE INDEX webhooks_by_status ON webhooks (status, occurred_at);
    CREATE INDEX webhooks_pending ON webhooks (due_at) WHERE due_at IS NOT NULL;
    CREATE INDEX webhooks_expiring ON webhooks (expires_at) WHERE expires_at IS NOT NULL;
    CREATE INDEX webhooks_leased ON webhooks (lease_worker) WHERE lease_worker IS NOT NULL;
    """,
    "-- Documents of schema version 2, which older versions must not read. They are upgraded when next written.\n",
    """
    -- Documents of schema version 3, which older versions must not read, and the catalogs.
    CREATE TABLE catalogs (
        site TEXT PRIMARY KEY,
        discovered_at INTEGER NOT NULL,
        document TEXT NOT NULL
    ) STRICT;
    """,
    """
    -- Documents of schema version 4. The order of the queue, counters of quota, and an index for each list.
    -- A render has `lease_until` without `lease_worker` while it waits for another attempt, or if its lease was
    -- released while it was RENDERING. Renders that were queued before come first.
    ALTER TABLE renders DROP COLUMN due_at;
    ALTER TABLE renders ADD COLUMN batch_id TEXT;
    ALTER TABLE renders ADD COLUMN composition_id TEXT NOT NULL DEFAULT 'TextAnimation';
    ALTER TABLE renders ADD COLUMN order_key INTEGER NOT NULL DEFAULT -1;
    ALTER TABLE renders ADD COLUMN finish_key INTEGER;
    ALTER TABLE renders ADD COLUMN quota_window INTEGER;
    UPDATE renders SET
        composition_id = ifnull(iif(json_valid(document), document ->> '$.composition_id', NULL), 'TextAnimation'),
        quota_window = (SELECT window_starts_at FROM quota_units WHERE render_id = id);
    CREATE TABLE quota_windows (
        owner TEXT NOT NULL,
        starts_at INTEGER NOT NULL,
        used INTEGER NOT NULL,
        PRIMARY KEY (owner, starts_at)
    ) STRICT, WITHOUT ROWID;
    INSERT INTO quota_windows
        SELECT owner, window_starts_at, count(*) FROM quota_units GROUP BY owner, window_starts_at;
    CREATE INDEX quota_windows_by_age ON quota_windows (starts_at);
    DROP TABLE quota_units;
    CREATE TABLE queue (virtual_time INTEGER NOT NULL, depth INTEGER NOT NULL) STRICT;
    INSERT INTO queue SELECT 0, count(*) FROM renders WHERE status = 'queued';
    CREATE TRIGGER render_queued AFTER INSERT ON renders WHEN new.status = 'queued' BEGIN
        UPDATE queue SET depth = depth + 1;
    END;
    CREATE TRIGGER render_changed AFTER UPDATE OF status ON renders WHEN old.status <> new.status BEGIN
        UPDATE queue SET depth = depth + (new.status = 'queued') - (old.status = 'queued');
    END;
    CREATE TRIGGER render_deleted AFTER DELETE ON renders WHEN old.status = 'queued' BEGIN
        UPDATE queue SET depth = depth - 1;
    END;
    DROP INDEX renders_unfinished;
    DROP INDEX renders_queued;
    CREATE INDEX renders_ready ON renders (order_key, id) WHERE status = 'queued' AND lease_until IS NULL;
    CREATE INDEX renders_leased_until ON renders (status, lease_until) WHERE lease_until IS NOT NULL;
    CREATE INDEX renders_by_finish ON renders (owner, finish_key) WHERE finish_key IS NOT NULL;
    CREATE INDEX renders_by_status ON renders (status, id);
    CREATE INDEX renders_of_owner_by_status ON renders (owner, status, id);
    CREATE INDEX renders_of_generation ON renders (owner, generation_id, id, status) WHERE generation_id IS NOT NULL;
    CREATE INDEX renders_of_batch ON renders (owner, batch_id, id, status) WHERE batch_id IS NOT NULL;
    CREATE INDEX renders_unfinished_of_batch ON renders (owner, batch_id)
        WHERE batch_id IS NOT NULL AND status IN ('queued', 'rendering');
    CREATE INDEX renders_of_composition ON renders (owner, composition_id, id, status);
    """,
)
