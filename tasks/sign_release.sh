#!/bin/sh
# Signs what `./denow task release` made: sign_release.sh FOLDER SECRET-KEY PUBLIC-KEY
#
# Each file gets FILE.minisig beside it; the password of the key is read from standard input. The trusted comment names
# the file, so that nobody can pass one off as another. Every signature is checked by the public key before this ends well.
set -eu

fail() {
  echo "sign_release.sh: $1" >&2
  exit 1
}

[ $# -eq 3 ] || fail "usage: sign_release.sh FOLDER SECRET-KEY PUBLIC-KEY"
folder=$1 secret=$2 public=$3
command -v minisign >/dev/null 2>&1 || fail "minisign is missing (apt-get install minisign)"
[ -f "$folder/SHA256SUMS" ] || fail "$folder holds no SHA256SUMS: run ./denow task release first"
(cd "$folder" && sha256sum --check --quiet --strict SHA256SUMS) || fail "a file is not what SHA256SUMS says"

password=$(cat)
cut -d' ' -f3 "$folder/SHA256SUMS" | { cat && echo SHA256SUMS; } | while IFS= read -r file; do
  printf '%s\n' "$password" |
    minisign -S -s "$secret" -m "$folder/$file" -x "$folder/$file.minisig" -t "runevault $file" >/dev/null ||
    fail "$file could not be signed"
  minisign -V -q -p "$public" -m "$folder/$file" -x "$folder/$file.minisig" || fail "$file: $public doesn't fit the key"
  echo "signed $file"
done
