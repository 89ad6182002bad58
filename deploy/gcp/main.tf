# One VM with a vault, in a network of its own.

terraform {
  # Write-only arguments, so that a secret passes through Terraform and stays in no state.
  required_version = ">= 1.11"

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = ">= 6.23, < 8.0"
    }
  }
}

provider "google" {
  project = var.project_id
  region  = var.region
}

locals {
  name   = "runevault-${var.team_name}"
  zone   = var.zone == "" ? "${var.region}-a" : var.zone
  labels = { team = var.team_name }

  # The store's own, made from team_secret, or one that was there before.
  team_secret_id      = one(concat(google_secret_manager_secret.team_secret[*].id, compact([var.team_secret_id])))
  envector_api_key_id = one(concat(google_secret_manager_secret.envector_api_key[*].id, compact([var.envector_api_key_id])))

  # Which secrets there are is known before their ids are: hence names for them.
  readable = merge(
    var.team_secret_version > 0 || var.team_secret_id != "" ? { team_secret = local.team_secret_id } : {},
    var.envector_api_key_version > 0 || var.envector_api_key_id != "" ? { envector_api_key = local.envector_api_key_id } : {},
    var.tls_key_secret_id != "" ? { tls_key = var.tls_key_secret_id } : {},
  )
}

module "cloud_init" {
  source = "../cloud-init"

  runevault_url       = var.runevault_url
  runevault_sha256    = var.runevault_sha256
  allow_unsigned      = var.allow_unsigned
  tls_mode            = var.tls_mode
  tls_hostname        = var.tls_hostname
  tls_certificate     = var.tls_certificate
  tls_key_secret_id   = var.tls_key_secret_id
  team_secret_id      = local.team_secret_id == null ? "" : local.team_secret_id
  envector_api_key_id = local.envector_api_key_id == null ? "" : local.envector_api_key_id
  vault_index_name    = var.vault_index_name
  envector_endpoint   = var.envector_endpoint
  open_api            = length(var.api_ranges) > 0
  public_url          = var.public_url
  packages            = ["jq"]
  fetch_secret        = file("${path.module}/fetch-secret.sh")
}

# --- Secrets ---

resource "google_secret_manager_secret" "team_secret" {
  count     = var.team_secret_version > 0 ? 1 : 0
  secret_id = "${local.name}-team-secret"
  labels    = local.labels

  replication {
    auto {}
  }
}

resource "google_secret_manager_secret_version" "team_secret" {
  count                  = var.team_secret_version > 0 ? 1 : 0
  secret                 = google_secret_manager_secret.team_secret[0].id
  secret_data_wo         = var.team_secret
  secret_data_wo_version = var.team_secret_version
}

resource "google_secret_manager_secret" "envector_api_key" {
  count     = var.envector_api_key_version > 0 ? 1 : 0
  secret_id = "${local.name}-envector-api-key"
  labels    = local.labels

  replication {
    auto {}
  }
}

resource "google_secret_manager_secret_version" "envector_api_key" {
  count                  = var.envector_api_key_version > 0 ? 1 : 0
  secret                 = google_secret_manager_secret.envector_api_key[0].id
  secret_data_wo         = var.envector_api_key
  secret_data_wo_version = var.envector_api_key_version
}

# The machine may read these secrets, and do nothing else.
resource "google_service_account" "vault" {
  account_id   = substr("rv-${var.team_name}", 0, 30)
  display_name = local.name
}

resource "google_secret_manager_secret_iam_member" "vault" {
  for_each  = local.readable
  secret_id = each.value
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.vault.member
}

# --- Network ---

resource "google_compute_network" "vault" {
  name                    = local.name
  auto_create_subnetworks = false
}

resource "google_compute_subnetwork" "vault" {
  name          = local.name
  region        = var.region
  network       = google_compute_network.vault.id
  ip_cidr_range = "10.0.1.0/24"
}

# Nothing comes in but from the ranges that were given: Google's networks are closed otherwise.
locals {
  openings = { for name, opening in {
    grpc = { port = "50051", ranges = var.grpc_ranges }
    api  = { port = "8200", ranges = var.api_ranges }
    ssh  = { port = "22", ranges = var.operator_ranges }
  } : name => opening if length(opening.ranges) > 0 }
}

resource "google_compute_firewall" "vault" {
  for_each                = local.openings
  name                    = "${local.name}-${each.key}"
  network                 = google_compute_network.vault.id
  source_ranges           = each.value.ranges
  target_service_accounts = [google_service_account.vault.email]

  allow {
    protocol = "tcp"
    ports    = [each.value.port]
  }
}

resource "google_compute_address" "vault" {
  name   = local.name
  region = var.region
}

# --- Machine ---

resource "google_compute_instance" "vault" {
  name         = local.name
  machine_type = var.machine_type
  zone         = local.zone
  labels       = local.labels

  boot_disk {
    # Encrypted in any case; with a key of one's own where one is given.
    kms_key_self_link = var.disk_kms_key_id

    initialize_params {
      image = "ubuntu-os-cloud/ubuntu-2404-lts-amd64"
      size  = var.disk_gb
      type  = "pd-balanced"
    }
  }

  network_interface {
    subnetwork = google_compute_subnetwork.vault.id

    access_config {
      nat_ip = google_compute_address.vault.address
    }
  }

  metadata = merge(
    {
      user-data              = module.cloud_init.user_data
      block-project-ssh-keys = "true"
    },
    var.public_key == "" ? {} : { ssh-keys = "ubuntu:${var.public_key}" },
  )

  service_account {
    email  = google_service_account.vault.email
    scopes = ["cloud-platform"]
  }

  shielded_instance_config {
    enable_secure_boot          = true
    enable_vtpm                 = true
    enable_integrity_monitoring = true
  }

  # The data lies on this disk: a newer image is no reason to throw it away.
  lifecycle {
    ignore_changes = [boot_disk[0].initialize_params[0].image, metadata["user-data"]]
  }

  depends_on = [
    google_secret_manager_secret_iam_member.vault,
    google_secret_manager_secret_version.team_secret,
    google_secret_manager_secret_version.envector_api_key,
  ]
}
