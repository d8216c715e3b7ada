#!/bin/sh
# Creates Temporal's databases, or updates their schema for this server. Can be run again.
set -eu
for name in temporal visibility; do
  database=temporal
  [ "$name" = visibility ] && database=temporal_visibility
  sql() { temporal-sql-tool --plugin "$SQL_PLUGIN" --ep "$SQL_HOST" --port "$SQL_PORT" --user "$SQL_USER" --password "$SQL_PASSWORD" --db "$database" "$@"; }
  sql create
  sql setup-schema --version 0.0 || echo "$database has a schema; updating it"
  sql update-schema --schema-dir "/etc/temporal/schema/postgresql/v12/$name/versioned"
done
