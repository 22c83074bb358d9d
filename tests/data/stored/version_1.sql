BEGIN TRANSACTION;
CREATE TABLE quota_units (
        render_id TEXT PRIMARY KEY,
        owner TEXT NOT NULL,
        window_starts_at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
INSERT INTO "quota_units" VALUES('01m8h0dkf8q4jf4vn199s0xeya','ann',32472144000000);
INSERT INTO "quota_units" VALUES('01m8h0dmegbvh2xd6358c2b1ff','ann',32472144000000);
INSERT INTO "quota_units" VALUES('01m8h0dpd0amvxmjx6swbswypv','ann',32472144000000);
INSERT INTO "quota_units" VALUES('01m8h0dqc87xzehychnqxbb24q','ann',32472144000000);
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
INSERT INTO "renders" VALUES('01m8h0dkf8q4jf4vn199s0xeya','ann',3,'complete',NULL,NULL,NULL,NULL,NULL,'{"id":"01m8h0dkf8q4jf4vn199s0xeya","owner":"ann","props":{"text":"Grüße 👋","style":"typewriter","font_family":"Inter","font_size":72.5,"color":"#ffffff","background_color":"navy","duration_in_frames":120,"fps":24},"created_at":"2026-11-28T12:00:01Z","revision":3,"status":"complete","phase":null,"progress":100,"frames_rendered":120,"estimated_completion_at":null,"generation_id":null,"idempotency_key":null,"attempt":1,"interruptions":0,"busy_attempts":0,"refusals":0,"cancel_requested":false,"backend_render_id":null,"warnings":["Another font was used."],"failure":null,"output":{"bucket":"videos","key":"rendercast/01m8h0dkf8q4jf4vn199s0xeya-1.mp4","size_bytes":123456,"poster_key":"rendercast/01m8h0dkf8q4jf4vn199s0xeya-poster.jpg"},"cost_usd":0.0021,"earlier_cost_usd":null,"due_at":null,"started_at":"2026-11-28T12:00:01Z","deadline_at":null,"completed_at":"2026-11-28T12:00:10Z","traceparent":null}');
INSERT INTO "renders" VALUES('01m8h0dmegbvh2xd6358c2b1ff','ann',3,'failed',NULL,NULL,NULL,NULL,NULL,'{"id":"01m8h0dmegbvh2xd6358c2b1ff","owner":"ann","props":{"text":"Grüße 👋","style":"typewriter","font_family":"Inter","font_size":72.5,"color":"#ffffff","background_color":"navy","duration_in_frames":120,"fps":24},"created_at":"2026-11-28T12:00:02Z","revision":3,"status":"failed","phase":null,"progress":0,"frames_rendered":0,"estimated_completion_at":null,"generation_id":null,"idempotency_key":null,"attempt":1,"interruptions":0,"busy_attempts":0,"refusals":0,"cancel_requested":false,"backend_render_id":null,"warnings":[],"failure":{"code":"RENDERER_CRASHED","message":"The renderer stopped unexpectedly.","retryable":true,"detail":"exit 1"},"output":null,"cost_usd":null,"earlier_cost_usd":null,"due_at":null,"started_at":"2026-11-28T12:00:02Z","deadline_at":null,"completed_at":"2026-11-28T12:00:05Z","traceparent":null}');
INSERT INTO "renders" VALUES('01m8h0dndrq5yy9jfq9xw2k5rk','ann',2,'cancelled',NULL,NULL,NULL,NULL,NULL,'{"id":"01m8h0dndrq5yy9jfq9xw2k5rk","owner":"ann","props":{"text":"Grüße 👋","style":"typewriter","font_family":"Inter","font_size":72.5,"color":"#ffffff","background_color":"navy","duration_in_frames":120,"fps":24},"created_at":"2026-11-28T12:00:03Z","revision":2,"status":"cancelled","phase":null,"progress":0,"frames_rendered":0,"estimated_completion_at":null,"generation_id":null,"idempotency_key":null,"attempt":0,"interruptions":0,"busy_attempts":0,"refusals":0,"cancel_requested":true,"backend_render_id":null,"warnings":[],"failure":null,"output":null,"cost_usd":null,"earlier_cost_usd":null,"due_at":null,"started_at":null,"deadline_at":null,"completed_at":"2026-11-28T12:00:04Z","traceparent":null}');
INSERT INTO "renders" VALUES('01m8h0dpd0amvxmjx6swbswypv','ann',4,'rendering',NULL,NULL,NULL,'dead',1795917397167,'{"id":"01m8h0dpd0amvxmjx6swbswypv","owner":"ann","props":{"text":"Grüße 👋","style":"typewriter","font_family":"Inter","font_size":72.5,"color":"#ffffff","background_color":"navy","duration_in_frames":120,"fps":24},"created_at":"2026-11-28T12:00:04Z","revision":4,"status":"rendering","phase":"rendering-frames","progress":50,"frames_rendered":60,"estimated_completion_at":null,"generation_id":null,"idempotency_key":null,"attempt":1,"interruptions":0,"busy_attempts":0,"refusals":0,"cancel_requested":false,"backend_render_id":"abc123","warnings":[],"failure":null,"output":null,"cost_usd":0.001,"earlier_cost_usd":null,"due_at":null,"started_at":"2026-11-28T12:00:04Z","deadline_at":"2026-11-28T12:03:04Z","completed_at":null,"traceparent":null}');
INSERT INTO "renders" VALUES('01m8h0dqc87xzehychnqxbb24q','ann',1,'queued','spring','start:k',NULL,NULL,NULL,'{"id":"01m8h0dqc87xzehychnqxbb24q","owner":"ann","props":{"text":"Grüße 👋","style":"typewriter","font_family":"Inter","font_size":72.5,"color":"#ffffff","background_color":"navy","duration_in_frames":120,"fps":24},"created_at":"2026-11-28T12:00:05Z","revision":1,"status":"queued","phase":null,"progress":0,"frames_rendered":0,"estimated_completion_at":null,"generation_id":"spring","idempotency_key":"start:k","attempt":0,"interruptions":0,"busy_attempts":0,"refusals":0,"cancel_requested":false,"backend_render_id":null,"warnings":[],"failure":null,"output":null,"cost_usd":null,"earlier_cost_usd":null,"due_at":null,"started_at":null,"deadline_at":null,"completed_at":null,"traceparent":null}');
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
INSERT INTO "webhooks" VALUES('msg_01m8h0dkf8q4jf4vn199s0xeya',1,'pending',1795867210000,0,NULL,NULL,NULL,'{"render":{"id":"01m8h0dkf8q4jf4vn199s0xeya","owner":"ann","props":{"text":"Grüße 👋","style":"typewriter","font_family":"Inter","font_size":72.5,"color":"#ffffff","background_color":"navy","duration_in_frames":120,"fps":24},"created_at":"2026-11-28T12:00:01Z","revision":3,"status":"complete","phase":null,"progress":100,"frames_rendered":120,"estimated_completion_at":null,"generation_id":null,"idempotency_key":null,"attempt":1,"interruptions":0,"busy_attempts":0,"refusals":0,"cancel_requested":false,"backend_render_id":null,"warnings":["Another font was used."],"failure":null,"output":{"bucket":"videos","key":"rendercast/01m8h0dkf8q4jf4vn199s0xeya-1.mp4","size_bytes":123456,"poster_key":"rendercast/01m8h0dkf8q4jf4vn199s0xeya-poster.jpg"},"cost_usd":0.0021,"earlier_cost_usd":null,"due_at":null,"started_at":"2026-11-28T12:00:01Z","deadline_at":null,"completed_at":"2026-11-28T12:00:10Z","traceparent":null},"revision":1,"status":"pending","due_at":null,"tries":0,"attempts":[],"settled_at":null}');
INSERT INTO "webhooks" VALUES('msg_01m8h0dmegbvh2xd6358c2b1ff',1,'pending',1795867205000,0,NULL,NULL,NULL,'{"render":{"id":"01m8h0dmegbvh2xd6358c2b1ff","owner":"ann","props":{"text":"Grüße 👋","style":"typewriter","font_family":"Inter","font_size":72.5,"color":"#ffffff","background_color":"navy","duration_in_frames":120,"fps":24},"created_at":"2026-11-28T12:00:02Z","revision":3,"status":"failed","phase":null,"progress":0,"frames_rendered":0,"estimated_completion_at":null,"generation_id":null,"idempotency_key":null,"attempt":1,"interruptions":0,"busy_attempts":0,"refusals":0,"cancel_requested":false,"backend_render_id":null,"warnings":[],"failure":{"code":"RENDERER_CRASHED","message":"The renderer stopped unexpectedly.","retryable":true,"detail":"exit 1"},"output":null,"cost_usd":null,"earlier_cost_usd":null,"due_at":null,"started_at":"2026-11-28T12:00:02Z","deadline_at":null,"completed_at":"2026-11-28T12:00:05Z","traceparent":null},"revision":1,"status":"pending","due_at":null,"tries":0,"attempts":[],"settled_at":null}');
INSERT INTO "webhooks" VALUES('msg_01m8h0dndrq5yy9jfq9xw2k5rk',1,'pending',1795867204000,0,NULL,NULL,NULL,'{"render":{"id":"01m8h0dndrq5yy9jfq9xw2k5rk","owner":"ann","props":{"text":"Grüße 👋","style":"typewriter","font_family":"Inter","font_size":72.5,"color":"#ffffff","background_color":"navy","duration_in_frames":120,"fps":24},"created_at":"2026-11-28T12:00:03Z","revision":2,"status":"cancelled","phase":null,"progress":0,"frames_rendered":0,"estimated_completion_at":null,"generation_id":null,"idempotency_key":null,"attempt":0,"interruptions":0,"busy_attempts":0,"refusals":0,"cancel_requested":true,"backend_render_id":null,"warnings":[],"failure":null,"output":null,"cost_usd":null,"earlier_cost_usd":null,"due_at":null,"started_at":null,"deadline_at":null,"completed_at":"2026-11-28T12:00:04Z","traceparent":null},"revision":1,"status":"pending","due_at":null,"tries":0,"attempts":[],"settled_at":null}');
CREATE INDEX renders_of_owner ON renders (owner, id);
CREATE UNIQUE INDEX renders_by_key ON renders (owner, idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX renders_unfinished ON renders (id, status) WHERE status IN ('queued', 'rendering');
CREATE INDEX renders_unfinished_of_owner ON renders (owner, id) WHERE status IN ('queued', 'rendering');
CREATE INDEX renders_queued ON renders (status, id) WHERE status = 'queued';
CREATE INDEX renders_leased ON renders (lease_worker) WHERE lease_worker IS NOT NULL;
CREATE INDEX quota_units_of_window ON quota_units (owner, window_starts_at);
CREATE INDEX quota_units_by_age ON quota_units (window_starts_at);
CREATE INDEX webhooks_by_age ON webhooks (occurred_at);
CREATE INDEX webhooks_by_status ON webhooks (status, occurred_at);
CREATE INDEX webhooks_pending ON webhooks (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX webhooks_expiring ON webhooks (expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX webhooks_leased ON webhooks (lease_worker) WHERE lease_worker IS NOT NULL;
PRAGMA user_version = 2;
COMMIT;
