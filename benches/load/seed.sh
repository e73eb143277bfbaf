#!/usr/bin/env bash
# Runs the three load commands users already know against a running server, each as it is usually written.
#
#   benches/load/seed.sh [http://127.0.0.1:8080]          30 s, 60 s and 100,000 connections
#   benches/load/seed.sh --short [http://127.0.0.1:8080]  the same commands, 3 s, 5 s and 10,000 connections
#
# Fails when a tool fails or ab counts a failed request.
set -euo pipefail

first=30s second=60s connections=100000
if [ "${1:-}" = --short ]; then
  first=3s second=5s connections=10000
  shift
fi
url=${1:-http://127.0.0.1:8080}/health

"$(dirname "$0")/../../scripts/need" wrk ab
ulimit -n "$(ulimit -Hn)"

say() { printf '\n$ %s\n' "$*"; "$@"; }

say wrk -t1 -c1 -d"$first" --latency "$url"
say wrk -t16 -c1000 -d"$second" --latency "$url"
say ab -q -n "$connections" -c 100 "$url" | tee /dev/stderr | awk '
  /^Failed requests:/ { failed = $3; seen = 1 }
  END { if (!seen || failed != 0) { print "ab: failed requests: " (seen ? failed : "unknown"); exit 1 } }'
