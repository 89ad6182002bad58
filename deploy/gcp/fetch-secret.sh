#!/bin/sh
# fetch-secret ID FILE: a secret of Google Secret Manager, by the service account of this machine.
# ID is projects/PROJECT/secrets/NAME. The access token goes to curl by its standard input: arguments can be seen by all.
set -eu

metadata=http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/default/token
token=$(curl -fsS --max-time 10 -H 'Metadata-Flavor: Google' "$metadata" | jq -r .access_token)
printf 'header = "Authorization: Bearer %s"\n' "$token" |
  curl -fsS --max-time 30 -K - "https://secretmanager.googleapis.com/v1/$1/versions/latest:access" |
  jq -r .payload.data | base64 -d >"$2"
