#!/usr/bin/env bash
# Runs the end-to-end tests against bin/entrepot. Arguments go to go test, for example: e2e/run.sh -run Replay -v
set -euo pipefail
cd "$(dirname "$0")"
exec go test -tags e2e -count=1 -timeout 25m -parallel 2 "$@" .
