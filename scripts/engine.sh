#!/usr/bin/env bash
# Runs a command with a container engine: with the one that is running, or with one
# that is started for the command alone, as root, with its data in a temporary
# folder. If there is neither, the command runs with MEDASSIST_CONTAINERS=none.
set -euo pipefail

run() { MEDASSIST_CONTAINERS=required "$@"; }
without() { MEDASSIST_CONTAINERS=none "$@"; }

if docker version >/dev/null 2>&1; then
  run "$@"
  exit
fi
if [ "$(id -u)" != 0 ] || ! command -v dockerd >/dev/null || ! command -v docker >/dev/null; then
  echo "skipped: no container engine is running, and starting one takes root, docker and dockerd"
  without "$@"
  exit
fi

dir=$(mktemp -d)
# Its mounts are in a namespace of its own. It leaves the machine's network alone:
# no bridge, no rules.
unshare -m sh -c "mount --make-rprivate / && exec dockerd --iptables=false --ip6tables=false --bridge=none \
  --data-root $dir/data --exec-root $dir/exec -H unix://$dir/socket -p $dir/pid" >"$dir/log" 2>&1 &
engine=$!
trap 'kill $engine 2>/dev/null || true; wait $engine 2>/dev/null || true; rm -rf "$dir"' EXIT
export DOCKER_HOST="unix://$dir/socket"
for _ in $(seq 100); do
  if docker version >/dev/null 2>&1; then
    run "$@"
    exit
  fi
  kill -0 $engine 2>/dev/null || break
  sleep 0.2
done
echo "skipped: this machine can't start a container engine:"
tail -n 5 "$dir/log"
without "$@"
