output "vault_url" {
  description = "The gRPC endpoint."
  value       = "${var.tls_hostname == "" ? oci_core_instance.vault.public_ip : var.tls_hostname}:50051"
}

output "api_url" {
  description = "The identity API, where api_ranges opened it."
  value       = length(var.api_ranges) == 0 ? null : "${var.tls_mode == "none" ? "http" : "https"}://${var.tls_hostname == "" ? oci_core_instance.vault.public_ip : var.tls_hostname}:8200"
}

output "vault_public_ip" {
  description = "The public address. It stays until the machine is stopped."
  value       = oci_core_instance.vault.public_ip
}

output "ssh_command" {
  description = "The way in for the operator."
  value       = "ssh ubuntu@${oci_core_instance.vault.public_ip}"
}

output "ca_command" {
  description = "Prints the vault's CA, which clients need with tls_mode self-signed."
  value       = "ssh ubuntu@${oci_core_instance.vault.public_ip} sudo cat /var/lib/runevault/tls/ca.pem"
}

output "first_commands" {
  description = "What to do first, on the machine."
  value = [
    "sudo cloud-init status --wait",
    "sudo runevault status",
    "sudo runevault role list",
    "sudo runevault token issue --user NAME --role ROLE --expires 90d",
  ]
}
