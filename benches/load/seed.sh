#!/usr/bin/env bash
# Runs the three load commands users already know against a server on port 8080, word for word as they know them.
#
#   benches/load/seed.sh [http://localhost:8080]          30 s, 60 s and 100,000 connections
#   benches/load/seed.sh --short [http://localhost:8080]  the same commands, 3 s, 5 s and 10,000 connections
#
# Fails when a tool fails, ab counts a failed request, or wrk an answer that is not 2xx.
set -euo pipefail

first=30s second=60s connections=100000
if [ "${1:-}" = --short ]; then
  first=3s second=5s connections=10000
  shift
fi
url=${1:-http://localhost:8080}/health

"$(dirname "$0")/../../scripts/need" wrk ab
ulimit -n "$(ulimit -Hn)"

# Shows a command, runs it, and keeps what it said for the verdict.
said=$(mktemp)
trap 'rm -f "$said"' EXIT
say() { printf '\n$ %s\n' "$*"; "$@" 2>&1 | tee "$said"; }
fail() { printf '%s\n' "$*" >&2; exit 1; }
all_2xx() { ! grep -q 'Non-2xx' "$said" || fail "wrk: answers that are not 2xx"; }

say wrk -t1 -c1 -d"$first" "$url"
all_2xx
say wrk -t16 -c1000 -d"$second" "$url"
all_2xx
say ab -n "$connections" -c 100 "$url"
grep -Eq '^Failed requests: +0$' "$said" || fail "ab: failed requests, or no count of them"
