# One VM with a vault, in a network of its own.

terraform {
  # Write-only arguments, so that a secret passes through Terraform and stays in no state.
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.88, < 7.0"
    }
  }
}

provider "aws" {
  region = var.region
}

locals {
  name = "runevault-${var.team_name}"
  tags = { Name = local.name, team = var.team_name }

  # The store's own, made from team_secret, or one that was there before.
  team_secret_id      = one(concat(aws_secretsmanager_secret.team_secret[*].arn, compact([var.team_secret_id])))
  envector_api_key_id = one(concat(aws_secretsmanager_secret.envector_api_key[*].arn, compact([var.envector_api_key_id])))
  secret_ids          = compact([local.team_secret_id, local.envector_api_key_id, var.tls_key_secret_id])

  # Which secrets there are is known before their ids are.
  has_secrets = anytrue([
    var.team_secret_version > 0, var.team_secret_id != "",
    var.envector_api_key_version > 0, var.envector_api_key_id != "",
    var.tls_key_secret_id != "",
  ])
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
  packages            = ["awscli"]
  fetch_secret        = file("${path.module}/fetch-secret.sh")
}

# --- Secrets ---

resource "aws_secretsmanager_secret" "team_secret" {
  count       = var.team_secret_version > 0 ? 1 : 0
  name_prefix = "${local.name}-team-secret-"
  tags        = local.tags
}

resource "aws_secretsmanager_secret_version" "team_secret" {
  count                    = var.team_secret_version > 0 ? 1 : 0
  secret_id                = aws_secretsmanager_secret.team_secret[0].id
  secret_string_wo         = var.team_secret
  secret_string_wo_version = var.team_secret_version
}

resource "aws_secretsmanager_secret" "envector_api_key" {
  count       = var.envector_api_key_version > 0 ? 1 : 0
  name_prefix = "${local.name}-envector-api-key-"
  tags        = local.tags
}

resource "aws_secretsmanager_secret_version" "envector_api_key" {
  count                    = var.envector_api_key_version > 0 ? 1 : 0
  secret_id                = aws_secretsmanager_secret.envector_api_key[0].id
  secret_string_wo         = var.envector_api_key
  secret_string_wo_version = var.envector_api_key_version
}

# The machine may read these secrets, and do nothing else.
data "aws_iam_policy_document" "assume" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["ec2.amazonaws.com"]
    }
  }
}

data "aws_iam_policy_document" "secrets" {
  count = local.has_secrets ? 1 : 0

  statement {
    actions   = ["secretsmanager:GetSecretValue"]
    resources = local.secret_ids
  }
}

resource "aws_iam_role" "vault" {
  name_prefix        = "${local.name}-"
  assume_role_policy = data.aws_iam_policy_document.assume.json
  tags               = local.tags
}

resource "aws_iam_role_policy" "secrets" {
  count  = local.has_secrets ? 1 : 0
  name   = "read-own-secrets"
  role   = aws_iam_role.vault.id
  policy = data.aws_iam_policy_document.secrets[0].json
}

resource "aws_iam_instance_profile" "vault" {
  name_prefix = "${local.name}-"
  role        = aws_iam_role.vault.name
  tags        = local.tags
}

# --- Network ---

resource "aws_vpc" "vault" {
  cidr_block           = "10.0.0.0/16"
  enable_dns_support   = true
  enable_dns_hostnames = true
  tags                 = local.tags
}

resource "aws_subnet" "vault" {
  vpc_id     = aws_vpc.vault.id
  cidr_block = "10.0.1.0/24"
  tags       = local.tags
}

resource "aws_internet_gateway" "vault" {
  vpc_id = aws_vpc.vault.id
  tags   = local.tags
}

resource "aws_route_table" "vault" {
  vpc_id = aws_vpc.vault.id
  tags   = local.tags

  route {
    cidr_block = "0.0.0.0/0"
    gateway_id = aws_internet_gateway.vault.id
  }
}

resource "aws_route_table_association" "vault" {
  subnet_id      = aws_subnet.vault.id
  route_table_id = aws_route_table.vault.id
}

# Nothing comes in but from the ranges that were given.
resource "aws_security_group" "vault" {
  name_prefix = "${local.name}-"
  description = "RuneVault of ${var.team_name}"
  vpc_id      = aws_vpc.vault.id
  tags        = local.tags

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_vpc_security_group_ingress_rule" "grpc" {
  for_each          = toset(var.grpc_ranges)
  security_group_id = aws_security_group.vault.id
  description       = "gRPC"
  cidr_ipv4         = each.value
  ip_protocol       = "tcp"
  from_port         = 50051
  to_port           = 50051
}

resource "aws_vpc_security_group_ingress_rule" "api" {
  for_each          = toset(var.api_ranges)
  security_group_id = aws_security_group.vault.id
  description       = "identity API"
  cidr_ipv4         = each.value
  ip_protocol       = "tcp"
  from_port         = 8200
  to_port           = 8200
}

resource "aws_vpc_security_group_ingress_rule" "ssh" {
  for_each          = toset(var.operator_ranges)
  security_group_id = aws_security_group.vault.id
  description       = "the operator"
  cidr_ipv4         = each.value
  ip_protocol       = "tcp"
  from_port         = 22
  to_port           = 22
}

resource "aws_vpc_security_group_egress_rule" "all" {
  security_group_id = aws_security_group.vault.id
  description       = "packages, the release, the secret store, databases"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "-1"
}

# --- Machine ---

data "aws_ami" "debian" {
  most_recent = true
  owners      = ["136693071363"] # Debian

  filter {
    name   = "name"
    values = ["debian-12-amd64-*"]
  }
}

resource "aws_key_pair" "operator" {
  count           = var.public_key == "" ? 0 : 1
  key_name_prefix = "${local.name}-"
  public_key      = var.public_key
  tags            = local.tags
}

resource "aws_instance" "vault" {
  ami                         = data.aws_ami.debian.id
  instance_type               = var.instance_type
  subnet_id                   = aws_subnet.vault.id
  vpc_security_group_ids      = [aws_security_group.vault.id]
  iam_instance_profile        = aws_iam_instance_profile.vault.name
  key_name                    = one(aws_key_pair.operator[*].key_name)
  associate_public_ip_address = true
  user_data_base64            = base64gzip(module.cloud_init.user_data)
  user_data_replace_on_change = false
  tags                        = local.tags

  metadata_options {
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }

  root_block_device {
    encrypted   = true
    kms_key_id  = var.disk_kms_key_id
    volume_size = var.disk_gb
    volume_type = "gp3"
    tags        = local.tags
  }

  # The data lies on this disk: a newer image is no reason to throw it away.
  lifecycle {
    ignore_changes = [ami, user_data_base64]
  }

  depends_on = [
    aws_iam_role_policy.secrets,
    aws_secretsmanager_secret_version.team_secret,
    aws_secretsmanager_secret_version.envector_api_key,
    aws_route_table_association.vault,
  ]
}
