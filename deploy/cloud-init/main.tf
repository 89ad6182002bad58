# What a new machine is told to do, the same in every cloud. It needs no provider.

terraform {
  required_version = ">= 1.11"
}

locals {
  settings = {
    runevault_url       = var.runevault_url
    runevault_sha256    = var.runevault_sha256
    allow_unsigned      = var.allow_unsigned
    tls_mode            = var.tls_mode
    tls_hostname        = var.tls_hostname
    grpc_addr           = "0.0.0.0:50051"
    api_addr            = var.open_api ? "0.0.0.0:8200" : "127.0.0.1:8200"
    public_url          = var.public_url
    vault_index_name    = var.vault_index_name
    envector_endpoint   = var.envector_endpoint
    team_secret_id      = var.team_secret_id
    envector_api_key_id = var.envector_api_key_id
    tls_key_secret_id   = var.tls_key_secret_id
  }

  public_key = "${path.module}/../minisign.pub"

  files = merge(
    {
      "setup.sh"     = { mode = "0700", content = file("${path.module}/setup.sh") }
      "install.sh"   = { mode = "0700", content = file("${path.module}/../../install.sh") }
      "fetch-secret" = { mode = "0700", content = var.fetch_secret }
      "settings" = {
        mode    = "0600"
        content = join("", [for name, value in local.settings : "${name}=${value}\n" if value != ""])
      }
    },
    # The first release adds it; until then a download counts as unsigned, and needs allow_unsigned.
    fileexists(local.public_key) ? { "minisign.pub" = { mode = "0644", content = file(local.public_key) } } : {},
    var.tls_certificate == "" ? {} : { "server.pem" = { mode = "0644", content = var.tls_certificate } },
  )
}

output "user_data" {
  description = "cloud-init's user data. It holds no secret."
  value = templatefile("${path.module}/cloud-init.yaml.tftpl", {
    packages = concat(["curl", "ca-certificates", "minisign"], var.packages)
    files    = local.files
  })
}
