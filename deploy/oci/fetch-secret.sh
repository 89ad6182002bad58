#!/bin/sh
# fetch-secret ID FILE: a secret of OCI Vault, as this instance (a member of the dynamic group). ID is an OCID.
# Ubuntu has no package of Oracle's command line: it comes from PyPI, at one version, into a folder of its own.
set -eu

OCI_CLI_VERSION=3.51.0
oci=/opt/runevault/oci-cli
if [ ! -x "$oci/bin/oci" ]; then
  (umask 022 && python3 -m venv "$oci" && "$oci/bin/pip" install --quiet "oci-cli==$OCI_CLI_VERSION")
fi
"$oci/bin/oci" --auth instance_principal secrets secret-bundle get --secret-id "$1" |
  jq -r '.data."secret-bundle-content".content' | base64 -d >"$2"
