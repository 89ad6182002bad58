#!/bin/sh
# fetch-secret ID FILE: a secret of AWS Secrets Manager, by the role of this machine. ID is an ARN.
set -eu

region=$(printf '%s' "$1" | cut -d: -f4)
# The file's mode is the caller's umask. Without --output text the value would come with quotes.
aws secretsmanager get-secret-value --region "$region" --secret-id "$1" --query SecretString --output text >"$2"
