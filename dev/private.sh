# Sourced by the scripts beside it: where the private things are, and how to say what is being done.
#
# Everything that the make targets set up lies in one folder, .private in the checkout: PostgreSQL, its data, cargo-pgrx's
# settings. No PostgreSQL that is on the machine already is used or changed. As root, PostgreSQL runs as an ordinary
# user (it refuses to run as root); where that user can't reach the checkout (say, below /root), the folder is in
# /var/tmp instead.

set -euo pipefail
# PostgreSQL's user has to read what root unpacks.
umask 022

checkout=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$checkout"

# In bold where somebody is looking.
if [ -t 1 ]; then bold=$'\033[1m' plain=$'\033[0m'; else bold='' plain=''; fi
say() { printf '%s== %s%s\n' "$bold" "$*" "$plain"; }
fail() { printf 'error: %s\n' "$*" >&2; exit 1; }

# Prints one line for all test programs of a run, "12 passed, 0 failed", and ", 3 skipped" where any were. Where one gave no
# result, that is a failure too.
count_results() {
    awk -v status="$2" '
        /^test result:/ { passed += $4; failed += $6; skipped += $8 }
        /^(ok|FAILED) \| [0-9]+ passed / { passed += $3; match($0, /[0-9]+ failed/); failed += substr($0, RSTART) }
        END {
            printf "%d passed, %d failed", passed, failed ? failed : status != 0
            printf skipped ? ", %d skipped\n" : "\n", skipped
        }
    ' "$1"
}

if [ "$(id -u)" = 0 ]; then
    server_user=$(id -un postgres 2>/dev/null || echo nobody)
    as_server_user() { setpriv --reuid="$server_user" --regid="$(id -g "$server_user")" --clear-groups -- "$@"; }
else
    server_user=$(id -un)
    as_server_user() { "$@"; }
fi

if [ -n "${CONNECTOR_PIPELINE_PRIVATE:-}" ]; then
    private=$CONNECTOR_PIPELINE_PRIVATE
elif as_server_user test -x "$checkout"; then
    private=$checkout/.private
else
    private=/var/tmp/connector_pipeline-$(printf %s "$checkout" | cksum | cut -d' ' -f1)
fi
mkdir -p "$private"

# The pgrx that Cargo.toml pins; cargo-pgrx has to be of the same version.
pgrx_version=$(sed -n 's/^pgrx = "=\(.*\)"$/\1/p' Cargo.toml)
export PGRX_HOME=$private/pgrx
export PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"

# What calls over HTTP need (dev/setup --rpc), and the packages that Deno has downloaded.
deno=$private/deno
postgrest=$private/postgrest
export DENO_DIR=$private/deno-packages
# Deno would ask its makers for a newer version.
export DENO_NO_UPDATE_CHECK=1

# libclang from the setup, where the system has none.
if [ -d "$private/libclang" ]; then
    LIBCLANG_PATH=$private/libclang
    BINDGEN_EXTRA_CLANG_ARGS=-I$(cc -print-file-name=include)
    export LIBCLANG_PATH BINDGEN_EXTRA_CLANG_ARGS
fi
# In the environment, RUSTFLAGS would replace flags that cargo-pgrx needs; a backtrace would end up in DETAIL.
unset RUSTFLAGS RUST_BACKTRACE
# These would lead psql to another server.
unset PGHOST PGHOSTADDR PGPORT PGUSER PGDATABASE PGOPTIONS PGSERVICE PGPASSWORD
