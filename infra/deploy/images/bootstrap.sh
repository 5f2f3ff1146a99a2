#!/bin/sh
# The role `migrate` and its database, once, as infra/local/postgres.py makes them on one machine; the rest is
# infra.ops.migrate's. Runs in the PostgreSQL image; PGHOST and PGUSER say where, PICKLY_SECRETS has the passwords.
set -eu
PGPASSWORD="$(cat "$PICKLY_SECRETS/pg_postgres")"
export PGPASSWORD
exec psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --dbname=postgres <<'SQL'
\set password `cat "$PICKLY_SECRETS/pg_migrate"`
SELECT format('CREATE ROLE migrate LOGIN CREATEROLE PASSWORD %L', :'password')
 WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'migrate') \gexec
SELECT 'CREATE DATABASE pickly OWNER migrate'
 WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'pickly') \gexec
SQL
