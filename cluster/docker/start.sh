#!/bin/bash
# Runs the whole service on one node: Ray's head, and the application on it. KubeRay and `ray up`
# start Ray by themselves and do not use this.
#
#   CONFIG               Serve configuration
#   RAY_METRICS_PORT     where Prometheus finds the metrics of the node
#   RAY_DASHBOARD_HOST   address of the dashboard; what reaches it can run anything
#   RAY_START_ARGS       more arguments of `ray start`
set -euo pipefail

# Who has no token makes one; it stays in this container.
if [ -z "${RAY_AUTH_TOKEN:-}${RAY_AUTH_TOKEN_PATH:-}" ]; then
    ray get-auth-token --generate > /dev/null
fi

# Where the launcher tells the replicas of stopping: they have the environment of this Ray.
SCRIPTORIUM_DRAIN=$(mktemp -d)
export SCRIPTORIUM_DRAIN

# shellcheck disable=SC2086  # several arguments
ray start --head \
    --dashboard-host="${RAY_DASHBOARD_HOST:-127.0.0.1}" \
    --metrics-export-port="${RAY_METRICS_PORT:-8080}" \
    ${RAY_START_ARGS:-}

# The launcher says when every stage is warm, fails if the application cannot be deployed, and stops
# it in order on SIGTERM.
export RAY_ADDRESS="${RAY_ADDRESS:-auto}"
exec python -m serve_app.launch "${CONFIG:-/app/cluster/serve_config.cpu.yaml}"
