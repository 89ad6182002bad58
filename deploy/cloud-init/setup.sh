#!/bin/sh
# The first start of a machine in a cloud: fetches the secrets, installs the vault, starts it.
#
# cloud-init puts this file, `settings`, `fetch-secret`, install.sh and (once there is one) deploy/minisign.pub into
# /opt/runevault and runs it. `settings` holds lines `name=value` and no secret. `fetch-secret ID FILE` is the cloud's own
# way to a secret of its store; what it brings goes from memory into install.sh and is gone with this script.
# It may be run again: what is done stays done.
set -eu
umask 077

TRIES=${RUNEVAULT_SETUP_TRIES:-30}
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)

setting() { sed -n "s/^$1=//p" "$here/settings" | head -n 1; }

fail() {
  echo "setup.sh: $1" >&2
  exit 1
}

# Memory, not disk: a secret that was written to a disk can be read from it later.
secrets=$(mktemp -d /dev/shm/runevault.XXXXXX)
trap 'rm -rf -- "$secrets"' EXIT

# A right that was given a moment ago may take minutes to be in force.
fetch() {
  [ -n "$2" ] || return 0
  tries=1
  until sh "$here/fetch-secret" "$2" "$secrets/$1" && [ -s "$secrets/$1" ]; do
    [ $tries -lt "$TRIES" ] || fail "the secret $2 can't be fetched: may this machine read it, and is there anything in it?"
    tries=$((tries + 1))
    sleep 20
  done
}

# A name of a setting, and the flag that it becomes where it has a value.
flag() {
  value=$(setting "$1")
  [ -z "$value" ] || set_flags "$2" "$value"
}

# The flags are kept one to a line: no value holds a line break, which Terraform and install.sh see to.
flags=$secrets/flags
set_flags() { printf '%s\n' "$@" >>"$flags"; }

install() {
  set --
  while IFS= read -r word; do set -- "$@" "$word"; done <"$flags"
  sh "$here/install.sh" --yes "$@" || fail "the vault could not be installed"
}

download_flags() {
  flag runevault_url --url
  flag runevault_sha256 --sha256
  [ "$(setting allow_unsigned)" != true ] || set_flags --allow-unsigned
  [ ! -f "$here/minisign.pub" ] || set_flags --minisign-key "$here/minisign.pub"
}

config_flags() {
  : >"$flags"
  flag grpc_addr --grpc-addr
  flag api_addr --api-addr
  flag public_url --public-url
  flag vault_index_name --index-name
  flag envector_endpoint --envector-endpoint
  flag tls_hostname --tls-hostname
  case $(setting tls_mode) in
    auto | self-signed) set_flags --tls auto ;;
    files | custom) set_flags --tls files --tls-cert /etc/runevault/tls/server.pem --tls-key /etc/runevault/tls/server.key ;;
    off | none) set_flags --tls off --allow-plaintext ;;
    *) fail "tls_mode must be self-signed, custom or none" ;;
  esac
  [ ! -f "$secrets/team-secret" ] || set_flags --team-secret-file "$secrets/team-secret"
  [ ! -f "$secrets/envector-api-key" ] || set_flags --envector-api-key-file "$secrets/envector-api-key"
}

# The key belongs to the service, which reads it again when it changes. The certificate is public.
place_tls() {
  case $(setting tls_mode) in files | custom) ;; *) return 0 ;; esac
  [ -f "$secrets/tls-key" ] || fail "tls_mode custom needs tls_key_secret_id"
  mkdir -p /etc/runevault/tls
  chmod 755 /etc/runevault/tls
  (umask 022 && cp "$here/server.pem" /etc/runevault/tls/server.pem)
  cp "$secrets/tls-key" /etc/runevault/tls/server.key.new
  chown runevault:runevault /etc/runevault/tls/server.key.new
  mv -f /etc/runevault/tls/server.key.new /etc/runevault/tls/server.key
}

# Whoever reaches the cloud's metadata service is this machine, and may read its secrets. The vault has no business there.
keep_from_metadata() {
  mkdir -p /etc/systemd/system/runevault.service.d
  chmod 755 /etc/systemd/system/runevault.service.d
  (umask 022 && cat >/etc/systemd/system/runevault.service.d/metadata.conf) <<'END'
[Service]
IPAddressDeny=169.254.169.254 fd00:ec2::254 fd20:ce::254
END
}

fetch team-secret "$(setting team_secret_id)"
fetch envector-api-key "$(setting envector_api_key_id)"
fetch tls-key "$(setting tls_key_secret_id)"
keep_from_metadata
config_flags
download_flags
set_flags --no-start
install
# Now that there is a user, the key can be its own; and what is installed already is started.
place_tls
config_flags
install
