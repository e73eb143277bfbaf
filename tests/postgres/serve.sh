#!/bin/sh
# Serves a PostgreSQL of its own from a new folder until standard input ends, then removes the folder: serve.sh BIN
# Says the folder, where its socket is, on a line. Nobody else can reach it: no port, and trust for whoever may enter the folder.
# With TLS_PORT it listens on that port of this machine as well, for those who speak TLS: TLS_CERTIFICATE and TLS_KEY are PEM.
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
listen="-c listen_addresses="
if [ -n "${TLS_PORT:-}" ]; then
  (umask 077 && printf %s "$TLS_CERTIFICATE" >"$dir/data/server.crt" && printf %s "$TLS_KEY" >"$dir/data/server.key")
  printf '%s\n' "local all all trust" "hostssl all all 127.0.0.1/32 trust" >"$dir/data/pg_hba.conf"
  listen="-c listen_addresses=127.0.0.1 -p $TLS_PORT -c ssl=on"
fi
# What would survive a power cut is none of the tests' business, but that of who asks for DURABLE.
[ -n "${DURABLE:-}" ] || listen="$listen -c fsync=off -c synchronous_commit=off -c full_page_writes=off"
"$bin/pg_ctl" -D "$dir/data" -w -s -l "$dir/log" start -o "-k $dir $listen -c max_connections=400" || said
echo "$dir"
cat >/dev/null
