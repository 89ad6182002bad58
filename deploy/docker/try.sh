#!/bin/sh
# Builds the image, starts it, issues, lists and revokes a token in it. Leaves nothing behind.
set -eu

cd "$(dirname "$0")/../.."
image=runevault:try
name=runevault-try-$$

docker build -f deploy/docker/Dockerfile -t "$image" .
trap 'docker rm --force --volumes "$name" >/dev/null' EXIT
docker run --detach --name "$name" --read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges "$image"

vault() { docker exec "$name" /usr/local/bin/runevault "$@"; }

tries=0
until vault status >/dev/null 2>&1; do
  tries=$((tries + 1))
  [ $tries -lt 60 ] || {
    docker logs "$name" >&2
    exit 1
  }
  sleep 1
done
vault token issue --user try --role member
vault token list | grep '^try '
vault token revoke --user try
if vault token list | grep '^try '; then
  echo "the token is still listed" >&2
  exit 1
fi
docker stop --time 30 "$name"
