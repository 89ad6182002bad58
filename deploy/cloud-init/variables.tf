variable "runevault_url" {
  description = "Where the release's program for this machine is, https://…; its signature is expected at the same place with .minisig."
  type        = string

  validation {
    condition     = can(regex("^(https|file)://[!-~]+$", var.runevault_url)) && !strcontains(var.runevault_url, "@")
    error_message = "runevault_url must be an https:// URL without a user in it."
  }
}

variable "runevault_sha256" {
  description = "The program's SHA-256, from the release's SHA256SUMS."
  type        = string

  validation {
    condition     = can(regex("^[0-9a-f]{64}$", var.runevault_sha256))
    error_message = "runevault_sha256 must be 64 hexadecimal digits."
  }
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

  validation {
    condition     = contains(["self-signed", "custom", "none"], var.tls_mode)
    error_message = "tls_mode must be self-signed, custom or none."
  }
}

variable "tls_hostname" {
  description = "The name by which clients reach the vault, for its certificate."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^[A-Za-z0-9.:-]*$", var.tls_hostname))
    error_message = "tls_hostname must be a host name or an address."
  }
}

variable "tls_certificate" {
  description = "With tls_mode custom: the certificate chain in PEM. It is public."
  type        = string
  default     = ""
}

variable "tls_key_secret_id" {
  description = "With tls_mode custom: the secret in the cloud's store that holds the private key in PEM."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^[!-~]*$", var.tls_key_secret_id)) && (var.tls_mode != "custom" || var.tls_key_secret_id != "")
    error_message = "tls_mode custom needs tls_key_secret_id, without blanks."
  }
}

variable "team_secret_id" {
  description = "The secret in the cloud's store that holds the team secret; empty: the vault draws one."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^[!-~]*$", var.team_secret_id))
    error_message = "team_secret_id must hold no blanks."
  }
}

variable "envector_api_key_id" {
  description = "The secret in the cloud's store that holds the enVector key; empty: none."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^[!-~]*$", var.envector_api_key_id))
    error_message = "envector_api_key_id must hold no blanks."
  }
}

variable "vault_index_name" {
  description = "The index that clients are told."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^[!-~]*$", var.vault_index_name))
    error_message = "vault_index_name must hold no blanks."
  }
}

variable "envector_endpoint" {
  description = "The enVector endpoint that clients are told, host:port."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^[A-Za-z0-9.:\\[\\]-]*$", var.envector_endpoint))
    error_message = "envector_endpoint must be host:port."
  }
}

variable "open_api" {
  description = "Whether the identity API listens on the machine's network addresses, and not on loopback alone."
  type        = bool
  default     = false
}

variable "public_url" {
  description = "What identity tokens name as their issuer, such as https://vault.example.org:8200."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^[!-~]*$", var.public_url))
    error_message = "public_url must hold no blanks."
  }
}

variable "packages" {
  description = "Packages that fetch_secret needs."
  type        = list(string)
  default     = []
}

variable "fetch_secret" {
  description = "A shell script, called with the id of a secret and a file to write it to."
  type        = string
}
