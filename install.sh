#!/bin/sh
# Installs RuneVault on this machine: the program, a user to run it, its configuration, a systemd service.
#
#   sudo ./install.sh --from ./runevault              # a binary that you have
#   sudo ./install.sh --url https://… --sha256 HEX    # a release, its signature checked
#   sudo ./install.sh --from-source                   # compiled from the source tree beside this script
#   ./install.sh --user --from ./runevault            # for yourself alone, without root
#
# On a terminal it asks for what no flag says; without one, defaults hold. Running it again changes nothing that is
# already so, and upgrades the program where --from, --from-source or --url bring another one. What it began and could
# not finish, it takes back. See --help, and docs/install.md.
#
# The data folder belongs to the service. As root, this script makes it and never touches what is in it: a service that
# was broken into could plant links there for root to follow.
set -eu
umask 022

NAME=runevault
UNIT=$NAME.service
READY_SECONDS=120

usage() {
  cat <<'END'
Usage: install.sh [options]

Where the program comes from (default: the one that is installed, else dist/runevault beside this script, else the source):
  --from FILE              this file; its SHA-256 is printed, and checked where --sha256 says it
  --from-source            compile the source tree beside this script
  --url URL                download it; needs --sha256, and a signature at URL.minisig
  --sha256 HEX             the SHA-256 that the program must have
  --minisign-key FILE      the public key of releases (default: deploy/minisign.pub beside this script)
  --allow-unsigned         take a download that no signature vouches for

How it runs:
  --tls MODE               auto (default: a private CA), files or off
  --tls-cert FILE          the certificate chain, with --tls files
  --tls-key FILE           its private key, with --tls files; the service must be able to read it
  --tls-hostname NAME      a name or address that clients use; may be given several times
  --allow-plaintext        let --tls off listen on an address that is not loopback
  --grpc-addr ADDR         the gRPC listener (default 0.0.0.0:50051)
  --api-addr ADDR          the identity API (default 127.0.0.1:8200)
  --public-url URL         what identity tokens name as their issuer
  --index-name NAME        the index that clients are told
  --envector-endpoint HOST:PORT
  --envector-api-key-file FILE
  --team-secret-file FILE  a team secret of your own (default: the vault draws one and seals it)
  --set KEY=VALUE          any other key of runevault.yml (docs/configuration.md); may be given several times

What is done:
  --user                   install for this user: ~/.local, a systemd user service
  --root DIR               install into the folder tree DIR, as for an image; nothing is started
  --no-service             the program, completions and man page alone: no user, configuration or service
  --no-start               start nothing
  --dry-run                say what would be done
  --yes                    ask nothing
  --print-unit             print the systemd unit
  --uninstall              take everything away but the data
  --purge                  with --uninstall: the data, the configuration and the user too
  --help
END
}

# --- Saying things ----------------------------------------------------------------------------------------------------

say() { printf '%s\n' "$*"; }
warn() { printf 'install.sh: %s\n' "$*" >&2; }
fail() {
  warn "$1"
  [ $# -lt 2 ] || printf 'hint: %s\n' "$2" >&2
  exit "${3:-1}"
}
wrong_usage() { fail "$1" "install.sh --help" 2; }

# --- Undoing what was begun -------------------------------------------------------------------------------------------

work=
begun=

# Remembers a step to take back; the last is taken back first.
began() { begun="$*
$begun"; }

take_back() {
  [ -n "$begun" ] || return 0
  warn "taking back what was begun"
  printf '%s' "$begun" >"$work/begun"
  while IFS= read -r step; do take_back_step "$step" || warn "could not take back: $step"; done <"$work/begun"
}

take_back_step() {
  path=${1#* }
  case $1 in
    "remove "*) rm -f -- "$path" ;;
    "remove-folder "*) [ ! -d "$path" ] || rmdir -- "$path" ;;
    "remove-data "*) rm -rf -- "$path" ;;
    "restore "*) mv -f -- "$work/saved/${path%% *}" "${path#* }" ;;
    "remove-user") remove_user ;;
    "disable") manager disable --quiet "$UNIT" ;;
    "stop") manager stop "$UNIT" ;;
    "restart") manager restart "$UNIT" ;;
    "reload") reload_manager ;;
  esac
}

at_exit() {
  code=$?
  trap - EXIT
  [ $code -eq 0 ] || take_back
  [ -z "$work" ] || rm -rf -- "$work"
  exit $code
}

# --- Options ----------------------------------------------------------------------------------------------------------

from='' from_source=no url='' sha256='' minisign_key='' allow_unsigned=no
tls='' tls_cert='' tls_key='' tls_hostnames='' allow_plaintext='' grpc_addr='' api_addr='' public_url=''
index_name='' envector_endpoint='' envector_api_key_file='' team_secret_file='' settings=''
for_user=no root='' service=yes start=yes dry_run=no ask=yes uninstall=no purge=no print_unit=no

# Values are written into YAML and the unit: what could end a line or a quoted text there is refused.
value_of() {
  [ $# -ge 2 ] || wrong_usage "$1 needs a value"
  case $2 in
    '') wrong_usage "$1 needs a value" ;;
    *[![:print:]]*) wrong_usage "$1: the value holds a character that is not printable" ;;
  esac
  value=$2
}

read_options() {
  while [ $# -gt 0 ]; do
    case $1 in
      --from-source) from_source=yes ;;
      --allow-unsigned) allow_unsigned=yes ;;
      --allow-plaintext) allow_plaintext=true ;;
      --user) for_user=yes ;;
      --no-service) service=no ;;
      --no-start) start=no ;;
      --dry-run) dry_run=yes ;;
      --yes) ask=no ;;
      --uninstall) uninstall=yes ;;
      --purge) purge=yes ;;
      --print-unit) print_unit=yes ;;
      --help | -h) usage && exit 0 ;;
      --*=*) split=$1 && shift && set -- "${split%%=*}" "${split#*=}" "$@" && continue ;;
      *) read_valued "$@" && shift ;;
    esac
    shift
  done
}

read_valued() {
  case $1 in
    --from | --url | --sha256 | --minisign-key | --tls | --tls-cert | --tls-key | --tls-hostname | --grpc-addr) ;;
    --api-addr | --public-url | --index-name | --envector-endpoint | --envector-api-key-file | --team-secret-file) ;;
    --set | --root) ;;
    *) wrong_usage "unknown option $1" ;;
  esac
  value_of "$@"
  case $1 in
    --from) from=$value ;;
    --url) url=$value ;;
    --sha256) sha256=$(printf '%s' "$value" | tr 'A-F' 'a-f') ;;
    --minisign-key) minisign_key=$value ;;
    --tls) tls=$value ;;
    --tls-cert) tls_cert=$value ;;
    --tls-key) tls_key=$value ;;
    --tls-hostname) tls_hostnames="$tls_hostnames$value
" ;;
    --grpc-addr) grpc_addr=$value ;;
    --api-addr) api_addr=$value ;;
    --public-url) public_url=$value ;;
    --index-name) index_name=$value ;;
    --envector-endpoint) envector_endpoint=$value ;;
    --envector-api-key-file) envector_api_key_file=$value ;;
    --team-secret-file) team_secret_file=$value ;;
    --set) settings="$settings$value
" ;;
    --root) root=${value%/} ;;
  esac
}

check_options() {
  sources=0
  for given in "$from" "$url"; do [ -z "$given" ] || sources=$((sources + 1)); done
  [ "$from_source" = no ] || sources=$((sources + 1))
  [ $sources -le 1 ] || wrong_usage "give one of --from, --from-source and --url"
  case $sha256 in
    '') [ -z "$url" ] || wrong_usage "--url needs --sha256: it stands in the release's SHA256SUMS" ;;
    *[!0-9a-f]*) wrong_usage "--sha256 must be 64 hexadecimal digits" ;;
    *) [ ${#sha256} -eq 64 ] || wrong_usage "--sha256 must be 64 hexadecimal digits" ;;
  esac
  case $url in
    *@*) wrong_usage "--url must name no user: what stands before an @ is not where it leads" ;;
    '' | https://* | file:///* | http://127.0.0.1[:/]* | http://localhost[:/]*) ;;
    *) wrong_usage "--url must be https://… (or file:///…, or http:// on this machine)" ;;
  esac
  case ${tls:-auto} in auto | files | off) ;; *) wrong_usage "--tls must be auto, files or off" ;; esac
  printf '%s' "$settings" | while IFS= read -r one; do
    key=${one%%=*}
    case $one in *=*) ;; *) wrong_usage "--set needs KEY=VALUE" ;; esac
    case $key in '' | *[!a-z_]*) wrong_usage "--set: \"$key\" is not a key of runevault.yml" ;; esac
    case $key in
      team_secret | legacy_tokens | envector_api_key) wrong_usage "--set: a secret ($key) must not be an argument" ;;
    esac
  done
  case $root in '' | /*) ;; *) wrong_usage "--root must be an absolute path" ;; esac
  [ "$purge" = no ] || [ "$uninstall" = yes ] || wrong_usage "--purge goes with --uninstall"
  [ "$for_user" = no ] || [ -z "$root" ] || wrong_usage "--user and --root don't go together"
}

# On a terminal, and for what no flag said.
prompt() {
  printf '%s' "$1" >&2
  [ -z "$2" ] || printf ' [%s]' "$2" >&2
  printf ': ' >&2
  IFS= read -r answer || answer=''
  value_of "the answer" "${answer:-${2:--}}"
  [ "$value" != - ] || value=''
}

ask_for_the_rest() {
  [ "$ask" = yes ] && [ "$dry_run" = no ] && [ "$service" = yes ] && [ -t 0 ] && [ ! -e "$config" ] || return 0
  [ -n "$tls" ] || { prompt "TLS: auto (a private CA), files, or off" auto && tls=$value; }
  case $tls in
    files)
      [ -n "$tls_cert" ] || { prompt "File with the certificate chain" '' && tls_cert=$value; }
      [ -n "$tls_key" ] || { prompt "File with its private key" '' && tls_key=$value; }
      ;;
    auto)
      [ -n "$tls_hostnames" ] || { prompt "A name by which clients reach this machine (- for none)" - &&
        tls_hostnames=${value:+$value
}; }
      ;;
  esac
  [ -n "$grpc_addr" ] || { prompt "Address for gRPC" 0.0.0.0:50051 && grpc_addr=$value; }
  [ -n "$api_addr" ] || { prompt "Address for the identity API" 127.0.0.1:8200 && api_addr=$value; }
  [ -n "$team_secret_file" ] || { prompt "File with a team secret of your own (- to have one drawn)" - &&
    team_secret_file=$value; }
  [ "$start" = no ] || { prompt "Start it now: yes or no" yes && start=$value; }
  check_options
}

# --- Places -----------------------------------------------------------------------------------------------------------

# Beside this script lie the source and the public key; piped into a shell, it has nothing beside it.
case $0 in
  install.sh | */install.sh) here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd) ;;
  *) here=/nonexistent ;;
esac

choose_places() {
  if [ "$for_user" = yes ]; then
    [ -n "${HOME:-}" ] || fail "HOME is not set"
    share=${XDG_DATA_HOME:-$HOME/.local/share}
    bin=$HOME/.local/bin
    data=${XDG_STATE_HOME:-$HOME/.local/state}/$NAME
    config_dir=${XDG_CONFIG_HOME:-$HOME/.config}/$NAME
    unit_dir=${XDG_CONFIG_HOME:-$HOME/.config}/systemd/user
  else
    share=$root/usr/local/share
    bin=$root/usr/local/bin
    data=$root/var/lib/$NAME
    config_dir=$root/etc/$NAME
    unit_dir=$root/etc/systemd/system
  fi
  program=$bin/$NAME
  config=$config_dir/$NAME.yml
  credentials=$config_dir/credentials
  unit=$unit_dir/$UNIT
  bash_completion=$share/bash-completion/completions/$NAME
  zsh_completion=$share/zsh/site-functions/_$NAME
  fish_completion=$share/fish/vendor_completions.d/$NAME.fish
  man_page=$share/man/man1/$NAME.1
}

# A path as the installed system sees it.
inside() { printf '%s' "${1#"$root"}"; }

check_machine() {
  [ "$for_user" = yes ] || [ "$(id -u)" = 0 ] || [ "$dry_run" = yes ] ||
    fail "installing for everybody needs root" "run it with sudo, or with --user for yourself alone"
  [ "$for_user" = no ] || [ "$(id -u)" != 0 ] || [ "$dry_run" = yes ] ||
    warn "--user as root installs for root alone, in $HOME"
  [ "$service" = yes ] || return 0
  command -v systemctl >/dev/null 2>&1 || [ -n "$root" ] ||
    fail "this machine has no systemd, and this script sets up no other kind of service" \
      "--no-service installs the program alone; deploy/docker/ has a container"
  [ -n "$root" ] || [ "$uninstall" = yes ] || [ "$dry_run" = yes ] || check_manager
  if [ "$for_user" = no ] && ! known_user && ! command -v useradd >/dev/null 2>&1; then
    fail "there is no user $NAME and no useradd to make one" "make a system user and group \"$NAME\", and run this again"
  fi
}

check_manager() {
  if [ "$for_user" = yes ]; then
    systemctl --user show-environment >/dev/null 2>&1 || fail "your own systemd does not answer" \
      "log in as $(id -un) itself (XDG_RUNTIME_DIR must be set), or have root run: loginctl enable-linger $(id -un)"
  elif ! booted && [ "$start" = yes ]; then
    fail "systemd does not run here, so nothing can be started" "--no-start, or --no-service for the program alone"
  fi
}

booted() { [ -d /run/systemd/system ]; }

# --- Files ------------------------------------------------------------------------------------------------------------

# A folder that this script writes into is nobody else's to change: whoever could would have root follow their links.
# In one's own home a link is one's own.
check_folder() {
  [ "$for_user" = yes ] || [ ! -L "$1" ] || fail "$1 is a symbolic link" "take it away: this script writes through none"
  [ -d "$1" ] || fail "$1 is in the way: it is not a folder"
  # shellcheck disable=SC2012 # the mode of the folder itself, which no other command prints everywhere
  case $(ls -ldH -- "$1") in
    ????????w?*) fail "$1 can be changed by everybody" "chmod o-w $1" ;;
  esac
  case $(owner_of "$1") in
    0 | "$(id -u)") ;;
    *) fail "$1 belongs to another user (id $(owner_of "$1"))" "chown it, or take it away" ;;
  esac
}

# shellcheck disable=SC2012 # the id alone, which no other command prints everywhere
owner_of() { ls -ldnH -- "$1" | awk '{ print $3 }'; }

make_folder() {
  if [ ! -e "$1" ] && [ ! -L "$1" ]; then
    [ -d "$(dirname -- "$1")" ] || make_folder "$(dirname -- "$1")" 755
    mkdir -m "$2" -- "$1"
    began "remove-folder $1"
  fi
  check_folder "$1"
}

# put FILE MODE [OWNER:GROUP]: what comes on standard input becomes FILE at once, whatever stood there (a link is
# replaced, not followed). Says whether anything changed.
put() {
  make_folder "$(dirname -- "$1")" 755
  [ ! -d "$1" ] || fail "$1 is a folder"
  new=$(mktemp "$(dirname -- "$1")/.$NAME.XXXXXX")
  began "remove $new"
  cat >"$new"
  chmod "$2" "$new"
  [ -z "${3:-}" ] || chown "$3" "$new"
  if [ -f "$1" ] && [ ! -L "$1" ] && cmp -s -- "$new" "$1"; then
    rm -f -- "$new"
    chmod "$2" "$1"
    [ -z "${3:-}" ] || chown "$3" "$1"
    return 0
  fi
  save "$1"
  mv -f -- "$new" "$1"
  changed=yes
  say "wrote $1"
}

saved=0
save() {
  if [ -e "$1" ] || [ -L "$1" ]; then
    saved=$((saved + 1))
    mkdir -p "$work/saved"
    cp -pP -- "$1" "$work/saved/$saved"
    began "restore $saved $1"
  else
    began "remove $1"
  fi
}

sha256_of() {
  if command -v sha256sum >/dev/null 2>&1; then sha256sum <"$1" | cut -d' ' -f1
  elif command -v shasum >/dev/null 2>&1; then shasum -a 256 <"$1" | cut -d' ' -f1
  else fail "neither sha256sum nor shasum is here to check the program with"; fi
}

# --- The program ------------------------------------------------------------------------------------------------------

find_program() {
  if [ -n "$url" ]; then download
  elif [ "$from_source" = yes ]; then compile
  elif [ -n "$from" ]; then take_file "$from"
  elif [ -x "$program" ]; then take_file "$program"
  elif [ -f "$here/dist/$NAME" ]; then take_file "$here/dist/$NAME"
  elif [ -x "$here/denow" ]; then compile
  else wrong_usage "there is nothing to install: give --from, --from-source or --url"; fi
}

take_file() {
  [ -f "$1" ] || fail "$1 is not a file"
  # The copy is what is checked and what is installed: whoever may write the file can't change it in between.
  cp -- "$1" "$work/$NAME" || fail "$1 can't be read"
  source=$1
  check_sum
}

compile() {
  [ -x "$here/denow" ] || fail "there is no source tree beside this script" "--from-source works in a checkout"
  if [ "$dry_run" = yes ]; then say "would compile $here" && source='' && return; fi
  say "compiling $here"
  (cd "$here" && ./denow install --frozen --quiet && ./denow task compile) || fail "the source could not be compiled"
  take_file "$here/dist/$NAME"
}

fetch() {
  if command -v curl >/dev/null 2>&1; then
    curl -fsSL --proto '=https,http,file' --proto-redir '=https' --max-filesize 300000000 --max-time 900 -o "$2" "$1"
  elif command -v wget >/dev/null 2>&1; then
    case $1 in https://*) wget -q --https-only -O "$2" "$1" ;; *) wget -q --max-redirect=0 -O "$2" "$1" ;; esac
  else
    fail "neither curl nor wget is here to download with" "download it yourself, and give --from FILE"
  fi
}

download() {
  say "downloading $url"
  fetch "$url" "$work/$NAME" || fail "$url could not be downloaded"
  source=$url
  check_sum
  check_signature
}

check_sum() {
  found=$(sha256_of "$work/$NAME")
  say "program: $source"
  say "SHA-256: $found"
  [ -z "$sha256" ] || [ "$found" = "$sha256" ] ||
    fail "the program has another SHA-256 than --sha256 says: not installed" "expected $sha256"
}

# A release is signed by a key that no web server has. A wrong signature is worse than none: nothing allows it.
check_signature() {
  key=${minisign_key:-$here/deploy/minisign.pub}
  if [ -n "$minisign_key" ] && [ ! -f "$key" ]; then fail "there is no public key $key"; fi
  if [ ! -f "$key" ]; then unsigned "there is no public key (deploy/minisign.pub beside this script) to check it by"
  elif ! fetch "$url.minisig" "$work/$NAME.minisig" 2>/dev/null; then unsigned "there is no $url.minisig"
  elif ! command -v minisign >/dev/null 2>&1; then unsigned "minisign is not installed (apt-get install minisign)"
  elif minisign -V -q -p "$key" -m "$work/$NAME" -x "$work/$NAME.minisig"; then say "signature: good, by $key"
  else fail "the signature is not one of $key over this program: not installed"; fi
}

unsigned() {
  [ "$allow_unsigned" = yes ] || fail "the download counts as unsigned: $1" \
    "--allow-unsigned takes it all the same; then --sha256 alone vouches for it"
  warn "taken unsigned: $1"
}

# Says that the program runs here at all before anything is changed.
try_program() {
  [ -n "$source" ] || return 0
  chmod 755 "$work/$NAME"
  version=$("$work/$NAME" --version 2>"$work/why") ||
    fail "the program does not run on this machine: $(head -n 3 "$work/why")" \
      "is it made for $(uname -s) $(uname -m)? where $work may run nothing, set TMPDIR to a folder that may"
  case $version in "$NAME "*) say "version: $version" ;; *) fail "the program is not $NAME: it says \"$version\"" ;; esac
}

install_program() {
  put "$program" 755 <"$work/$NAME"
  put_output "$bash_completion" completion bash
  put_output "$zsh_completion" completion zsh
  put_output "$fish_completion" completion fish
  if has_command man; then put_output "$man_page" man
  else say "no man page: this program prints none"; fi
}

# An unknown command with --help prints the help of the whole.
has_command() { "$work/$NAME" "$1" --help 2>/dev/null | grep -q "^Usage: $NAME $1"; }

# put_output FILE ARGUMENTS: what the new program prints becomes FILE.
put_output() {
  target=$1
  shift
  "$work/$NAME" "$@" >"$work/output" || fail "the program failed at: $NAME $*"
  before=$changed
  put "$target" 644 <"$work/output"
  # No reason to restart the service.
  changed=$before
}

# --- User, configuration, secrets -------------------------------------------------------------------------------------

# The user may come from a directory service; in another folder tree its files are all there is.
known_user() {
  if [ -z "$root" ]; then id "$NAME" >/dev/null 2>&1
  else [ -r "$root/etc/passwd" ] && grep -q "^$NAME:" "$root/etc/passwd"; fi
}
user_id() { if [ -z "$root" ]; then id -u "$NAME"; else numeric_id passwd; fi; }
group_id() { if [ -z "$root" ]; then id -g "$NAME"; else numeric_id group; fi; }
numeric_id() { awk -F: -v name="$NAME" '$1 == name { print $3 }' "$root/etc/$1"; }

make_user() {
  [ "$for_user" = no ] && ! known_user || return 0
  home=/var/lib/$NAME
  set -- --system --user-group --home-dir "$home" --no-create-home --shell /usr/sbin/nologin "$NAME"
  if [ -n "$root" ]; then useradd --prefix "$root" "$@"; else useradd "$@"; fi || fail "the user $NAME can't be made"
  began "remove-user"
  say "made the user $NAME"
}

remove_user() {
  if [ -n "$root" ]; then userdel --prefix "$root" "$NAME"; else userdel "$NAME"; fi 2>/dev/null
  ! grep -q "^$NAME:" "$root/etc/group" || groupdel ${root:+--prefix "$root"} "$NAME" 2>/dev/null
}

make_data_folder() {
  [ ! -L "$data" ] || fail "$data is a symbolic link" "give the data a place of its own, or mount one there"
  if [ -d "$data" ]; then
    [ "$for_user" = yes ] || [ "$(owner_of "$data")" = "$(user_id)" ] ||
      fail "$data belongs to another user than $NAME" "chown -R $NAME: $data"
    return 0
  fi
  make_folder "$(dirname -- "$data")" 755
  mkdir -m 700 -- "$data"
  began "remove-data $data"
  [ "$for_user" = yes ] || chown "$(user_id):$(group_id)" "$data"
  say "made $data"
}

# YAML's double-quoted text knows two characters that need a backslash.
quoted() { printf '"%s"' "$(printf '%s' "$1" | sed 's/[\\"]/\\&/g')"; }
line() { [ -z "$2" ] || printf '%s: %s\n' "$1" "$(quoted "$2")"; }

config_text() {
  say "# RuneVault's settings: docs/configuration.md names them all. Restart the service after a change."
  line log_format journal
  line tls "$tls"
  line tls_cert "$tls_cert"
  line tls_key "$tls_key"
  if [ -n "$tls_hostnames" ]; then
    say "tls_hostname:"
    printf '%s' "$tls_hostnames" | while IFS= read -r one; do say "  - $(quoted "$one")"; done
  fi
  [ -z "$allow_plaintext" ] || say "allow_plaintext: true"
  line grpc_addr "$grpc_addr"
  line api_addr "$api_addr"
  line public_url "$public_url"
  line index_name "$index_name"
  line envector_endpoint "$envector_endpoint"
  if [ "$for_user" = yes ]; then
    [ ! -f "$credentials/team-secret" ] || line team_secret_file "$credentials/team-secret"
    [ ! -f "$credentials/envector-api-key" ] || line envector_api_key_file "$credentials/envector-api-key"
  fi
  printf '%s' "$settings" | while IFS= read -r one; do line "${one%%=*}" "${one#*=}"; done
}

configured() {
  [ -n "$tls$tls_cert$tls_key$tls_hostnames$allow_plaintext$grpc_addr$api_addr$public_url" ] ||
    [ -n "$index_name$envector_endpoint$settings" ]
}

# An operator's edits are theirs: a configuration that differs from what the flags say is neither changed nor ignored.
write_config() {
  make_folder "$config_dir" 755
  config_text >"$work/config"
  if [ -f "$config" ] && ! cmp -s -- "$work/config" "$config"; then
    ! configured || fail "$config differs from what these options say" \
      "edit it and restart the service, or move it away, or leave the options out"
    return 0
  fi
  put "$config" "$([ "$for_user" = yes ] && echo 600 || echo 644)" <"$work/config"
}

# Root's alone: systemd hands them to the service (LoadCredential=), which can't read the files themselves.
write_secret() {
  [ -n "$2" ] || return 0
  if [ ! -f "$2" ] || [ ! -s "$2" ]; then fail "$2 is not a file with a secret in it"; fi
  make_folder "$config_dir" 755
  make_folder "$credentials" 700
  put "$credentials/$1" 600 <"$2"
}

# --- The service ------------------------------------------------------------------------------------------------------

manager() { if [ "$for_user" = yes ]; then systemctl --user "$@"; else systemctl "$@"; fi; }
reload_manager() {
  if [ "$for_user" = no ]; then [ -z "$root" ] && booted || return 0; fi
  manager daemon-reload
}

credential_lines() {
  [ ! -f "$credentials/team-secret" ] || say "LoadCredential=team-secret:$(inside "$credentials")/team-secret"
  [ ! -f "$credentials/envector-api-key" ] ||
    say "LoadCredential=envector-api-key:$(inside "$credentials")/envector-api-key"
}

# shellcheck disable=SC2016 # the variable is systemd's
credential_flags() {
  [ ! -f "$credentials/team-secret" ] || printf ' --team-secret-file ${CREDENTIALS_DIRECTORY}/team-secret'
  [ ! -f "$credentials/envector-api-key" ] ||
    printf ' --envector-api-key-file ${CREDENTIALS_DIRECTORY}/envector-api-key'
}

unit_text() {
  cat <<END
# Made by install.sh. Keep changes of your own in a drop-in: systemctl ${1}edit $NAME
[Unit]
Description=RuneVault
Documentation=man:runevault(1)
After=network-online.target
Wants=network-online.target
# Ten starts in a minute that all fail: give up, and say so.
StartLimitIntervalSec=60
StartLimitBurst=10

[Service]
Type=notify
NotifyAccess=main
ExecStart=$2
ExecReload=/bin/kill -HUP \$MAINPID
Restart=always
RestartSec=2
# 78 (EX_CONFIG): a configuration that can't be served won't be served by trying again.
RestartPreventExitStatus=78
# The event loop that answers the calls gives a sign of life every ten seconds.
WatchdogSec=30
# A first start may make an FHE key set.
TimeoutStartSec=300
TimeoutStopSec=30
LimitNOFILE=65536
# A core dump would hold every key.
LimitCORE=0
UMask=0077
END
}

system_unit_text() {
  unit_text '' "/usr/local/bin/$NAME serve --config /etc/$NAME/$NAME.yml$(credential_flags)"
  cat <<END
User=$NAME
Group=$NAME
StateDirectory=$NAME
StateDirectoryMode=0700
END
  credential_lines
  cat <<'END'

# What it may do. MemoryDenyWriteExecute= is left out: V8 writes the machine code that it runs.
NoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
PrivateUsers=yes
PrivateIPC=yes
PrivateMounts=yes
ProtectHostname=yes
ProtectClock=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectProc=invisible
ProcSubset=pid
DevicePolicy=closed
KeyringMode=private
RemoveIPC=yes
LockPersonality=yes
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
# Netlink lists the machine's own addresses, for its certificate.
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
# The admin socket may be given to a group.
SystemCallFilter=@chown
SystemCallErrorNumber=EPERM

[Install]
WantedBy=multi-user.target
END
}

# A user's systemd can't do what needs privileges: what is left is what the kernel lets anybody give up.
user_unit_text() {
  unit_text '--user ' "$program serve --data-dir $data --config $config"
  cat <<'END'

# What it may do. MemoryDenyWriteExecute= is left out: V8 writes the machine code that it runs.
NoNewPrivileges=yes
KeyringMode=private
LockPersonality=yes
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM

[Install]
WantedBy=default.target
END
}

unit_of_this_kind() { if [ "$for_user" = yes ]; then user_unit_text; else system_unit_text; fi; }

write_unit() {
  unit_of_this_kind >"$work/unit"
  began reload
  put "$unit" 644 <"$work/unit"
  reload_manager
}

enable_service() {
  if [ -n "$root" ]; then
    make_folder "$unit_dir/multi-user.target.wants" 755
    link=$unit_dir/multi-user.target.wants/$UNIT
    [ -L "$link" ] || { ln -s "$(inside "$unit")" "$link" && began "remove $link"; }
    return 0
  fi
  manager is-enabled --quiet "$UNIT" 2>/dev/null || { manager enable --quiet "$UNIT" && began disable; }
}

start_service() {
  started=$(date +%s)
  if manager is-active --quiet "$UNIT"; then
    [ "$changed" = yes ] || { say "already running" && return 0; }
    say "restarting $UNIT"
    manager restart "$UNIT" || start_failed
  else
    say "starting $UNIT"
    began stop
    manager start "$UNIT" || start_failed
  fi
  wait_for_ready
}

start_failed() {
  warn "$UNIT did not start; its last lines:"
  if [ "$for_user" = yes ]; then journalctl --user -u "$UNIT" --since "@$started" -n 15 --no-pager -o cat >&2 || :
  else journalctl -u "$UNIT" --since "@$started" -n 15 --no-pager -o cat >&2 || :; fi
  exit 1
}

# systemd's start waits for the service's word that it is ready; this asks the server itself.
wait_for_ready() {
  waited=0
  until RUNEVAULT_DATA_DIR="$data" "$program" status >/dev/null 2>"$work/why"; do
    [ $waited -lt $READY_SECONDS ] || fail "$UNIT runs and does not answer: $(head -n 1 "$work/why")"
    sleep 1
    waited=$((waited + 1))
  done
}

# --- What is said at the end ------------------------------------------------------------------------------------------

address_of() {
  # The file is the service's: nothing of it but an address reaches a terminal.
  address=$(sed -n "s/.*\"$1\":\"\([][0-9A-Za-z.:-]*\)\".*/\1/p" "$data/addresses.json")
  printf '%s' "${address:-off}"
}

next_steps() {
  say ""
  say "ready: gRPC $(address_of grpc), identity API $(address_of api), metrics $(address_of metrics)"
  [ ! -f "$data/tls/ca.pem" ] || say "CA to give to clients: $data/tls/ca.pem"
  prefix=$([ "$for_user" = yes ] || echo 'sudo ')
  say "Next:"
  say "  $prefix$NAME role list"
  say "  $prefix$NAME token issue --user NAME --role ROLE --expires 90d"
  if has_command backup; then say "  $prefix$NAME backup FILE"; else say "  $prefix$NAME status"; fi
  [ "$for_user" = no ] || case ":$PATH:" in *":$bin:"*) ;; *) say "($bin is not on your PATH)" ;; esac
  [ "$for_user" = no ] || say "So that it runs while you are logged out: sudo loginctl enable-linger $(id -un)"
}

would() {
  [ -z "$source" ] || say "would install $program"
  [ "$service" = no ] || {
    [ "$for_user" = yes ] || known_user || say "would make the user $NAME"
    [ -e "$config" ] || { say "would write $config:" && config_text | sed 's/^/  /'; }
    [ -z "$team_secret_file" ] || say "would write $credentials/team-secret"
    [ -z "$envector_api_key_file" ] || say "would write $credentials/envector-api-key"
    [ -d "$data" ] || say "would make $data"
    [ -e "$unit" ] || say "would write $unit"
    [ "$start" = no ] || say "would start $UNIT"
  }
  say "nothing was changed"
}

# --- The whole --------------------------------------------------------------------------------------------------------

do_install() {
  ask_for_the_rest
  [ -z "$root" ] || start=no
  find_program
  try_program
  if [ "$dry_run" = yes ]; then would && return; fi
  changed=no
  [ "$service" = no ] || [ -n "$root" ] || ! manager is-active --quiet "$UNIT" || began restart
  install_program
  [ "$service" = yes ] || { say "installed $program" && return 0; }
  make_user
  write_secret team-secret "$team_secret_file"
  write_secret envector-api-key "$envector_api_key_file"
  write_config
  make_data_folder
  write_unit
  enable_service
  case $start in yes | y) start_service ;; *) say "installed; nothing was started" && return 0 ;; esac
  next_steps
}

do_uninstall() {
  if [ "$dry_run" = yes ]; then say "would take away $program, $unit and what goes with them" && return; fi
  if [ -e "$unit" ] && [ -z "$root" ]; then manager disable --now --quiet "$UNIT" || warn "$UNIT could not be stopped"; fi
  rm -f -- "$unit_dir/multi-user.target.wants/$UNIT" "$unit" "$program"
  rm -f -- "$bash_completion" "$zsh_completion" "$fish_completion" "$man_page"
  ! command -v systemctl >/dev/null 2>&1 || reload_manager || warn "systemd could not be told"
  if [ "$purge" = no ]; then say "uninstalled; kept $data and $config_dir (--purge takes them away)" && return; fi
  rm -rf -- "$data" "$config_dir"
  [ "$for_user" = yes ] || ! known_user || remove_user || warn "the user $NAME could not be removed"
  say "uninstalled, with all data"
}

read_options "$@"
check_options
choose_places
if [ "$print_unit" = yes ]; then unit_of_this_kind && exit 0; fi
check_machine
work=$(mktemp -d "${TMPDIR:-/tmp}/$NAME-install.XXXXXX")
trap at_exit EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
if [ "$uninstall" = yes ]; then do_uninstall; else do_install; fi
