#!/usr/bin/env bash
# A throw-away Postgres server for the tests, under its own user, in a folder of its own that is removed again.
#
#   export FAIRTRIAL_TEST_POSTGRES=$(bash .ci/postgres.sh start NOTE)    prints the URL and nothing else
#   bash .ci/postgres.sh stop NOTE
#
# NOTE is a file that remembers where the server lives.
set -euo pipefail

usage() {
  echo "usage: postgres.sh start|stop NOTE" >&2
  exit 2
}
[ $# -eq 2 ] || usage
verb=$1
note=$2

programs() {
  local newest
  newest=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -1)
  if [ -n "$newest" ] && [ -x "$newest/initdb" ]; then
    echo "$newest"
  elif command -v initdb >/dev/null; then
    dirname "$(readlink -f "$(command -v initdb)")"
  fi
}

# The server refuses to run as root.
as_owner() {
  if [ "$(id -u)" -eq 0 ]; then
    su postgres -s /bin/bash -c "cd / && $1"
  else
    bash -c "$1"
  fi
}

case $verb in
  start)
    if [ -z "$(programs)" ]; then
      # Debian's package would make and start a server of its own; only the programs are wanted.
      mkdir -p /etc/postgresql-common
      [ -e /etc/postgresql-common/createcluster.conf ] ||
        echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf
      { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends postgresql; } >&2
    fi
    bin=$(programs)
    folder=$(as_owner 'mktemp -d -t fairtrial-postgres-XXXXXX')
    echo "$folder" >"$note"
    port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    as_owner "$bin/initdb -D '$folder/data' -U fairtrial -A trust -E UTF8 --locale=C --no-sync" >&2
    # The tests look for lost writes between transactions, not after power cuts: no fsync.
    as_owner "$bin/pg_ctl -D '$folder/data' -l '$folder/server.log' -w -t 60 \
      -o \"-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off\" start" >&2
    echo "postgresql://fairtrial@127.0.0.1:$port/postgres"
    ;;
  stop)
    folder=$(cat "$note")
    as_owner "$(programs)/pg_ctl -D '$folder/data' -m immediate stop" >&2 || true
    as_owner "rm -rf '$folder'"
    rm -f "$note"
    ;;
  *)
    usage
    ;;
esac
