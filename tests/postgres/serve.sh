#!/bin/sh
# Serves a PostgreSQL of its own from a new folder until standard input ends, then removes the folder: serve.sh BIN
# Says the folder, where its socket is, on a line. Nobody else can reach it: no port, and trust for whoever may enter the folder.
set -eu
trap '' INT TERM HUP PIPE
bin=$1
cd /
dir=$(mktemp -d "${TMPDIR:-/tmp}/tidegate-postgres.XXXXXX")
chmod 755 "$dir"
end() {
  "$bin/pg_ctl" -D "$dir/data" -s -m immediate stop 2>/dev/null || true
  rm -rf "$dir"
}
trap end EXIT
said() {
  cat "$dir/log" >&2
  exit 1
}
"$bin/initdb" -D "$dir/data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 -N >"$dir/log" 2>&1 || said
# What would survive a power cut is none of the tests' business.
"$bin/pg_ctl" -D "$dir/data" -w -s -l "$dir/log" start \
  -o "-k $dir -c listen_addresses= -c max_connections=400 -c fsync=off -c synchronous_commit=off -c full_page_writes=off" || said
echo "$dir"
cat >/dev/null
