#!/usr/bin/env bash
# Runs every fuzz target for a time, such as 30s, from its seeds. Two targets run at
# the same time, while the next package is compiled.
set -euo pipefail
time=$1 dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export time dir

# Making an input that was found shorter takes at most ten attempts: without that
# limit, it can take all the time. Status 255 ends xargs.
run='
cd "$1"
if found=$("$dir/$1/fuzz.test" -test.run "^$" -test.fuzz "^$2\$" -test.fuzztime "$time" -test.fuzzcachedir "$dir/$1/inputs" \
  -test.fuzzminimizetime 10x -test.parallel 1 2>&1); then
  printf "%s %s: %s\n" "$1" "$2" "$(grep elapsed <<<"$found" | tail -n 1)"
else
  printf "%s %s fails:\n%s\n" "$1" "$2" "$found" >&2
  exit 255
fi'
for pkg in $(git grep -l '^func Fuzz' -- '*_test.go' | xargs -n1 dirname | sort -u); do
  go test -c -vet=off -ldflags=-w -fuzz . -o "$dir/$pkg/fuzz.test" "./$pkg"
  sed -n "s|^func \(Fuzz[A-Za-z0-9_]*\).*|$pkg \1|p" "$pkg"/*_test.go
done | xargs -n2 -P2 bash -c "$run" _
