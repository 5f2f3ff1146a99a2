#!/bin/sh
# Valkey with its password from a secret file, so that no argument, variable or process list shows it. It never
# holds the only copy of anything, so it keeps nothing on disk. Further arguments go to valkey-server.
set -eu
umask 077
config="$(mktemp)"
cat > "$config" <<END
save ""
appendonly no
maxmemory 128mb
maxmemory-policy noeviction
requirepass $(cat "$PICKLY_SECRETS/valkey")
END
exec valkey-server "$config" "$@"
