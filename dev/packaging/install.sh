#!/bin/sh
# Puts the extension into the PostgreSQL of a pg_config. Usage: sh install.sh [PG_CONFIG [LIBRARY_FOLDER]]
#
# A LIBRARY_FOLDER is for servers that load libraries from another folder than pg_config tells.
set -eu

major=@MAJOR@
pg_config=${1:-pg_config}
# CDPATH would have cd print where it went.
here=$(CDPATH='' cd "$(dirname "$0")" && pwd)

version=$("$pg_config" --version) || {
    echo "error: there is no $pg_config; say which PostgreSQL: sh install.sh /path/to/pg_config" >&2
    exit 1
}
case $version in
    "PostgreSQL $major" | "PostgreSQL $major"[!0-9]*) ;;
    *) echo "error: this package is for PostgreSQL $major, not for $version" >&2; exit 1 ;;
esac

libraries=${2:-$("$pg_config" --pkglibdir)}
extensions=$("$pg_config" --sharedir)/extension
# A new file in the old one's place: sessions that have loaded the old library keep it.
cp "$here/lib/connector_pipeline.so" "$libraries/connector_pipeline.so.new"
chmod 755 "$libraries/connector_pipeline.so.new"
mv "$libraries/connector_pipeline.so.new" "$libraries/connector_pipeline.so"
for file in "$here"/share/extension/*; do
    cp "$file" "$extensions/"
    chmod 644 "$extensions/$(basename "$file")"
done
echo "installed into $libraries and $extensions; in each database: CREATE EXTENSION connector_pipeline, or ALTER EXTENSION connector_pipeline UPDATE"
