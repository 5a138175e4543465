#!/usr/bin/env bash
# Builds the SDKs and the example plugins of other languages than Python into build/plugins: plugins.sh [LANGUAGE...]
# A language is built by scripts/plugins/LANGUAGE.sh OUT, whose first lines say what it needs on the PATH and what its sources are; built once,
# it is left alone until a source changes. Leaves with 3 when a toolchain is missing, unless CI=true: there that is a failure like any other.
set -uo pipefail
cd "$(dirname "$0")/.."

fields() { sed -n "s/^# $1: //p" "$2"; }

# What the sources hold, ours alone: neither ignored files nor what a build leaves.
mark() {
    local recipe=$1 needed
    {
        # shellcheck disable=SC2046  # words
        git ls-files -z --cached --others --exclude-standard -- "$recipe" $(fields sources "$recipe") |
            sort -zu | xargs -0 sha256sum 2>/dev/null
        # shellcheck disable=SC2046  # words
        for needed in $(fields needs "$recipe"); do command -v "$needed"; done
    } | sha256sum | cut -d' ' -f1
}

build() {
    local language=$1 recipe=scripts/plugins/$1.sh out=$PWD/build/plugins/$1 needed began=$SECONDS
    [ -f "$recipe" ] || { echo "plugins: there is no recipe $recipe" >&2; return 1; }
    # shellcheck disable=SC2046  # words
    for needed in $(fields needs "$recipe"); do
        command -v "$needed" >/dev/null && continue
        echo "plugins: $language plugins need $needed, which is not on the PATH" >&2
        [ "${CI:-}" = true ] && return 1
        return 3
    done
    mkdir -p "$out"
    exec 9>"$out/.lock"
    flock 9 # tests that run at the same time want the same thing
    local sources
    sources=$(mark "$recipe")
    [ "$(cat "$out/.built" 2>/dev/null)" = "$sources" ] && return 0
    rm -f "$out/.built"
    if ! nice -n 10 "$recipe" "$out" >"$out/build.log" 2>&1; then
        tail -n 60 "$out/build.log" >&2
        echo "plugins: $language was not built; all of it: $out/build.log" >&2
        return 1
    fi
    echo "$sources" >"$out/.built"
    echo "plugins: $language was built in $((SECONDS - began)) s"
}

[ $# -gt 0 ] || set -- $(cd scripts/plugins && printf '%s\n' *.sh | sed 's/\.sh$//')
if [ $# = 1 ]; then
    build "$1"
    exit
fi
building=()
for language in "$@"; do # two at a time: while one waits for its registry, the other compiles
    [ "$(jobs -rp | wc -l)" -lt 2 ] || wait -n
    scripts/plugins.sh "$language" &
    building+=($!)
done
code=0
for one in "${building[@]}"; do
    wait "$one" || { left=$?; [ $code = 1 ] || code=$left; }
done
exit $code
