variable "region" {
  description = "The AWS region."
  type        = string
}

variable "team_name" {
  description = "The team's name, part of the names of what is made."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,30}[a-z0-9]$", var.team_name))
    error_message = "team_name must be lower case letters, digits and dashes, two to 32 of them."
  }
}

variable "runevault_url" {
  description = "Where the release's program for Linux x86-64 is; its signature is expected at the same place with .minisig."
  type        = string
}

variable "runevault_sha256" {
  description = "The program's SHA-256, from the release's SHA256SUMS."
  type        = string
}

variable "allow_unsigned" {
  description = "Take a program that no signature vouches for; runevault_sha256 alone does then."
  type        = bool
  default     = false
}

variable "tls_mode" {
  description = "self-signed (a private CA of the vault's own), custom (tls_certificate and tls_key_secret_id) or none (plaintext)."
  type        = string
  default     = "self-signed"
}

variable "tls_hostname" {
  description = "The name by which clients reach the vault. Without one, its certificate doesn't hold the public address."
  type        = string
  default     = ""
}

variable "tls_certificate" {
  description = "With tls_mode custom: the certificate chain in PEM."
  type        = string
  default     = ""
}

variable "tls_key_secret_id" {
  description = "With tls_mode custom: the secret (its ARN) with the private key in PEM."
  type        = string
  default     = ""
}

# Ephemeral: these pass through Terraform to the store and are kept in no plan and no state.

variable "team_secret" {
  description = "A team secret to keep in the secret store, with team_secret_version 1. Without any, the vault draws its own."
  type        = string
  default     = null
  sensitive   = true
  ephemeral   = true
}

variable "team_secret_version" {
  description = "0: no team_secret is given. Raise it to write team_secret anew; a vault that has started keeps the one it has."
  type        = number
  default     = 0
}

variable "team_secret_id" {
  description = "In place of team_secret: a secret (its ARN) that is there already."
  type        = string
  default     = ""
}

variable "envector_api_key" {
  description = "The enVector key that clients are given, with envector_api_key_version 1."
  type        = string
  default     = null
  sensitive   = true
  ephemeral   = true
}

variable "envector_api_key_version" {
  description = "0: no envector_api_key is given. Raise it to write the key anew."
  type        = number
  default     = 0
}

variable "envector_api_key_id" {
  description = "In place of envector_api_key: a secret (its ARN) that is there already."
  type        = string
  default     = ""
}

variable "vault_index_name" {
  description = "The index that clients are told."
  type        = string
  default     = ""
}

variable "envector_endpoint" {
  description = "The enVector endpoint that clients are told, host:port."
  type        = string
  default     = ""
}

variable "grpc_ranges" {
  description = "Who may reach gRPC (port 50051): CIDR ranges. Nobody, unless some are given."
  type        = list(string)
  default     = []
}

variable "api_ranges" {
  description = "Who may reach the identity API (port 8200). Where none is given it listens on loopback alone."
  type        = list(string)
  default     = []
}

variable "operator_ranges" {
  description = "Who may reach SSH (port 22)."
  type        = list(string)
  default     = []
}

variable "public_url" {
  description = "What identity tokens name as their issuer, such as https://vault.example.org:8200."
  type        = string
  default     = ""
}

variable "public_key" {
  description = "The operator's SSH public key."
  type        = string
  default     = ""
}

variable "disk_gb" {
  description = "Size of the disk, in GB."
  type        = number
  default     = 20
}

variable "instance_type" {
  description = "The machine's type, x86-64."
  type        = string
  default     = "t3.medium"
}

variable "disk_kms_key_id" {
  description = "The KMS key for the disk (ARN); null: the account's own for EBS."
  type        = string
  default     = null
}
