"""The commands in the documents: what each prints, or the reason why it is not run."""

from services.observability.log_context import pseudonym

NOT_HERE = {
    "docker": "needs a Docker engine; tests/image executes the Dockerfile, tests/deploy reads compose.yaml",
    "kubectl": "needs a cluster; tests/deploy builds and validates the manifests",
    "npm": "installs packages of Remotion; the Makefile installs those that tests use",
    "npx": "downloads a template from GitHub or deploys to AWS; test_own_composition.py checks and bundles a project",
    "aws": "needs an AWS account",
    **dict.fromkeys(
        ("apt-get", "useradd", "git", "install", "editor", "runuser", "systemctl", "journalctl"),
        "changes this machine; tests/deploy/test_systemd.py checks the units",
    ),
}
UNTIL_STOPPED = "runs until it is stopped; `make run` is dev, tests/image runs serve and worker"
A_PROJECT = "needs a Remotion project; test_own_composition.py has one"
INSTALLED = "needs an installation in /opt"
A_RECEIVER = "needs a receiver, or messages to one; tests/commands/server/test_webhooks.py has both"
GENERATORS = "needs packages that generate types; tests/codegen/test_codegen.py has them"
NOT_RUN = {f"rendercast {name}": UNTIL_STOPPED for name in ("dev", "serve", "worker")} | {
    "cd my-video": A_PROJECT,
    "cp ../rendercast/clients/remotion/src/rendercast.ts src/": A_PROJECT,
    "cd /opt/rendercast": INSTALLED,
    "cp deploy/systemd/rendercast-api.service deploy/systemd/rendercast-worker.service /etc/systemd/system/": INSTALLED,
    "rendercast dev --project my-video": "needs a Remotion project; test_own_machine.py has one",
    'rendercast render --composition Promo --set title="Good morning" --output webm -o promo.webm': A_PROJECT,
    'rendercast render --composition Promo --set title=""': A_PROJECT,
    "rendercast batch": "needs a file; tests/commands/client/test_batch.py has one",
    "rendercast batch rows.csv --composition Promo --map title=Name -o out/": A_PROJECT,
    "rendercast codegen": GENERATORS,
    "rendercast codegen -o src/rendercast.d.ts": GENERATORS,
    "rendercast codegen --python": GENERATORS,
    "rendercast codegen --check": GENERATORS,
    "rendercast webhooks send-test": A_RECEIVER,
    "rendercast webhooks show ID": A_RECEIVER,
    "rendercast webhooks replay ID": A_RECEIVER,
    "rendercast migrate": "needs a MongoDB; tests/commands/server/test_migrate.py has one",
    "rendercast forget OWNER": "erases data; tests/commands/server/test_forget.py has some",
    "rendercast doctor --token -": "needs a secret; tests/commands/doctor/test_token_checks.py has one",
    "rendercast doctor --role worker": "needs an AWS account; tests/commands/doctor/test_doctor.py has a farm",
}
ELSEWHERE = {"cancel", "retry", "open"}  # tests/commands/client/test_renders.py runs these
WATCH_BY_CURL = (
    "curl -N http://127.0.0.1:8000/graphql -H 'Accept: text/event-stream' -H 'Content-Type: application/json' -d '{\n"
    '  "query": "subscription { renderProgress(renderId: \\"01m817gzatj1v633w9kvyqtevh\\") '
    "{ status progress outputUrl } }\"}'"
)
RUN = {
    WATCH_BY_CURL: r":\n\nevent: next\ndata: .*NOT_FOUND.*\n\nevent: complete\n",  # an example's id
    "curl http://127.0.0.1:8001/readyz": r'\{"status":"ready",.*\}',
    "curl -i -X POST https://render.example.com/webhooks/remotion": r"HTTP/1.1 401 .*",
    "cp .env.example .env": "",
    "cp -r deploy/kubernetes/example deploy/kubernetes/production": "",
    "mkdir deploy/kubernetes/production/secrets": "",
    "printf '%s' 'mongodb+srv://…' > deploy/kubernetes/production/secrets/mongodb-url": "",
    "printf '%s' 'rediss://…' > deploy/kubernetes/production/secrets/redis-url": "",
    "openssl rand -hex 32": r"[0-9a-f]{64}\n",
    'echo "whsec_$(openssl rand -base64 32)"': r"whsec_[A-Za-z0-9+/]{43}=\n",
    "printf '%s' 'https://issuer.example SUBJECT' | sha256sum | cut -c 1-12": (
        pseudonym("https://issuer.example SUBJECT") + "\n"
    ),
    "rendercast --help": r".*Usage: .*",
    "rendercast --install-completion": r".*completion installed.*",
    "rendercast --show-completion": r".*_RENDERCAST_COMPLETE.*",
    "rendercast compositions": r"id +kind .*TextAnimation .*",
    "rendercast export-schema": r".*\ntype Query \{.*",
    "rendercast compositions show TextAnimation": r'\{\n  "id": "TextAnimation",.*',
    "rendercast compositions show TextAnimation | jq .defaultProps > props.json": "",
    "rendercast compositions refresh": r"1 composition.*",
    'rendercast render --composition TextAnimation --props props.json --set text="Hi" --output webm --transparent '
    "-o promo.webm": "",
    "rendercast doctor": r"OK +settings .*",
    "rendercast token NAME --expires-in 30d": r"[\w-]+\.[\w-]+\.[\w-]+\n",
    "rendercast token NAME --scope renders:all": r"[\w-]+\.[\w-]+\.[\w-]+\n",
    "rendercast webhooks list": "",
    "rendercast webhooks list --failed": "",
    "rendercast webhooks replay --failed": "",
    "rendercast watch ID": r"http://\S+\n",
    "rendercast download ID": "",
    "rendercast cancel ID": r".*",
}
