# One VM with a vault, in a network of its own.

terraform {
  required_version = ">= 1.11"

  required_providers {
    oci = {
      source  = "oracle/oci"
      version = ">= 6.0, < 8.0"
    }
  }
}

provider "oci" {
  region = var.region
}

locals {
  name = "runevault-${var.team_name}"
  tags = { team = var.team_name }

  # Whether there is one is no secret, and decides what is made.
  has_team_secret      = nonsensitive(var.team_secret != "")
  has_envector_api_key = nonsensitive(var.envector_api_key != "")

  # The store's own, made from team_secret, or one that was there before.
  team_secret_id      = one(concat(oci_vault_secret.team_secret[*].id, compact([var.team_secret_id])))
  envector_api_key_id = one(concat(oci_vault_secret.envector_api_key[*].id, compact([var.envector_api_key_id])))
  secret_ids          = compact([local.team_secret_id, local.envector_api_key_id, var.tls_key_secret_id])
  needs_secrets       = local.has_team_secret || local.has_envector_api_key || var.team_secret_id != "" || var.envector_api_key_id != "" || var.tls_key_secret_id != ""

  openings = concat(
    [for range in var.grpc_ranges : { port = 50051, range = range }],
    [for range in var.api_ranges : { port = 8200, range = range }],
    [for range in var.operator_ranges : { port = 22, range = range }],
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
  packages            = ["jq", "python3-venv"]
  fetch_secret        = file("${path.module}/fetch-secret.sh")
}

# --- Secrets ---

resource "oci_vault_secret" "team_secret" {
  count          = local.has_team_secret ? 1 : 0
  compartment_id = var.compartment_id
  vault_id       = var.vault_id
  key_id         = var.vault_key_id
  secret_name    = "${local.name}-team-secret"
  freeform_tags  = local.tags

  secret_content {
    content_type = "BASE64"
    content      = base64encode(var.team_secret)
  }
}

resource "oci_vault_secret" "envector_api_key" {
  count          = local.has_envector_api_key ? 1 : 0
  compartment_id = var.compartment_id
  vault_id       = var.vault_id
  key_id         = var.vault_key_id
  secret_name    = "${local.name}-envector-api-key"
  freeform_tags  = local.tags

  secret_content {
    content_type = "BASE64"
    content      = base64encode(var.envector_api_key)
  }
}

# The machine may read these secrets, and do nothing else. The instance's id is part of the rule, so it is made first;
# setup.sh asks for the secrets until the rule is in force.
resource "oci_identity_dynamic_group" "vault" {
  count          = local.needs_secrets ? 1 : 0
  compartment_id = var.tenancy_id
  name           = local.name
  description    = "The machine of RuneVault of ${var.team_name}"
  matching_rule  = "instance.id = '${oci_core_instance.vault.id}'"
  freeform_tags  = local.tags
}

resource "oci_identity_policy" "secrets" {
  count          = local.needs_secrets ? 1 : 0
  compartment_id = var.compartment_id
  name           = local.name
  description    = "RuneVault of ${var.team_name} reads its own secrets"
  freeform_tags  = local.tags

  statements = [
    for id in local.secret_ids :
    "Allow dynamic-group ${oci_identity_dynamic_group.vault[0].name} to read secret-bundles in compartment id ${var.compartment_id} where target.secret.id = '${id}'"
  ]
}

# --- Network ---

resource "oci_core_vcn" "vault" {
  compartment_id = var.compartment_id
  display_name   = local.name
  cidr_blocks    = ["10.0.0.0/16"]
  dns_label      = "runevault"
  freeform_tags  = local.tags
}

resource "oci_core_internet_gateway" "vault" {
  compartment_id = var.compartment_id
  vcn_id         = oci_core_vcn.vault.id
  display_name   = local.name
  freeform_tags  = local.tags
}

resource "oci_core_route_table" "vault" {
  compartment_id = var.compartment_id
  vcn_id         = oci_core_vcn.vault.id
  display_name   = local.name
  freeform_tags  = local.tags

  route_rules {
    destination       = "0.0.0.0/0"
    network_entity_id = oci_core_internet_gateway.vault.id
  }
}

# Nothing comes in but from the ranges that were given.
resource "oci_core_security_list" "vault" {
  compartment_id = var.compartment_id
  vcn_id         = oci_core_vcn.vault.id
  display_name   = local.name
  freeform_tags  = local.tags

  egress_security_rules {
    destination = "0.0.0.0/0"
    protocol    = "all"
  }

  dynamic "ingress_security_rules" {
    for_each = local.openings

    content {
      protocol = "6" # TCP
      source   = ingress_security_rules.value.range

      tcp_options {
        min = ingress_security_rules.value.port
        max = ingress_security_rules.value.port
      }
    }
  }
}

resource "oci_core_subnet" "vault" {
  compartment_id    = var.compartment_id
  vcn_id            = oci_core_vcn.vault.id
  display_name      = local.name
  cidr_block        = "10.0.1.0/24"
  dns_label         = "vault"
  route_table_id    = oci_core_route_table.vault.id
  security_list_ids = [oci_core_security_list.vault.id]
  freeform_tags     = local.tags
}

# --- Machine ---

data "oci_identity_availability_domains" "here" {
  compartment_id = var.tenancy_id
}

data "oci_core_images" "ubuntu" {
  compartment_id           = var.compartment_id
  operating_system         = "Canonical Ubuntu"
  operating_system_version = "24.04"
  shape                    = var.shape
  sort_by                  = "TIMECREATED"
  sort_order               = "DESC"
}

resource "oci_core_instance" "vault" {
  compartment_id                      = var.compartment_id
  availability_domain                 = data.oci_identity_availability_domains.here.availability_domains[0].name
  display_name                        = local.name
  shape                               = var.shape
  is_pv_encryption_in_transit_enabled = true
  freeform_tags                       = local.tags

  shape_config {
    ocpus         = 1
    memory_in_gbs = 4
  }

  create_vnic_details {
    subnet_id        = oci_core_subnet.vault.id
    assign_public_ip = true
  }

  # Boot volumes are encrypted in any case; with a key of one's own where one is given.
  source_details {
    source_type             = "image"
    source_id               = data.oci_core_images.ubuntu.images[0].id
    boot_volume_size_in_gbs = var.disk_gb
    kms_key_id              = var.disk_kms_key_id
  }

  instance_options {
    are_legacy_imds_endpoints_disabled = true
  }

  metadata = merge(
    { user_data = base64gzip(module.cloud_init.user_data) },
    var.public_key == "" ? {} : { ssh_authorized_keys = var.public_key },
  )

  # The data lies on this disk: a newer image is no reason to throw it away.
  lifecycle {
    ignore_changes = [source_details[0].source_id, metadata["user_data"]]
  }
}
