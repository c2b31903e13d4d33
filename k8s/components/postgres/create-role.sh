#!/bin/sh
# The official image runs this once, on an empty volume. Gatehouse connects as a role that is no superuser: row-level
# security would not hold for one, and in production Gatehouse refuses to start as one.
set -eu
: "${GATEHOUSE_DATABASE_PASSWORD:?}"

# the password is read from the environment, where no list of processes shows it
psql --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres <<'SQL'
\getenv password GATEHOUSE_DATABASE_PASSWORD
CREATE ROLE gatehouse LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE PASSWORD :'password';
CREATE ROLE gatehouse_operator NOLOGIN;
GRANT gatehouse_operator TO gatehouse;
CREATE DATABASE gatehouse OWNER gatehouse;
REVOKE ALL ON DATABASE gatehouse FROM PUBLIC;
SQL
