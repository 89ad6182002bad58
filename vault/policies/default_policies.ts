/**
 * The policies that every vault has.
 *
 * @module
 */

/** What every login token may do, unless it is made without it. It can be changed. */
export const DEFAULT_POLICY = `# Tokens may look themselves up, renew themselves and end themselves.
path "auth/token/lookup-self" { capabilities = ["read"] }
path "auth/token/renew-self" { capabilities = ["update"] }
path "auth/token/revoke-self" { capabilities = ["update"] }

# Whoever has an entity may read it.
path "identity/entity/id/{{identity.entity.id}}" { capabilities = ["read"] }
path "identity/entity/name/{{identity.entity.name}}" { capabilities = ["read"] }

# What the vault wrote down about its holder.
path "identity/audit/self" { capabilities = ["read"] }

# What may I do?
path "sys/capabilities-self" { capabilities = ["update"] }
path "sys/internal/ui/resultant-acl" { capabilities = ["read"] }

# Leases are renewed and looked up by whoever knows their id.
path "sys/leases/renew" { capabilities = ["update"] }
path "sys/leases/lookup" { capabilities = ["update"] }
path "sys/renew" { capabilities = ["update"] }

# A place of one's own.
path "cubbyhole/*" { capabilities = ["create", "read", "update", "delete", "list"] }

# Wrapped answers.
path "sys/wrapping/wrap" { capabilities = ["update"] }
path "sys/wrapping/lookup" { capabilities = ["update"] }
path "sys/wrapping/unwrap" { capabilities = ["update"] }

path "sys/tools/hash" { capabilities = ["update"] }
path "sys/tools/hash/*" { capabilities = ["update"] }

# Logging in at other services through this vault.
path "identity/oidc/provider/+/authorize" { capabilities = ["read", "update"] }
`;

/** SHA-256 of what {@link DEFAULT_POLICY} was in earlier versions: a vault whose operator left it alone gets the present one. */
export const FORMER_DEFAULT_POLICIES: ReadonlySet<string> = new Set([
  // Before there was an audit trail.
  "98f4cc04a688c5593b643d48432797ce03551ead50cd33f2bfdeb992a9fa6756",
]);

/** What a wrapping token may do. It can't be read or changed. */
export const RESPONSE_WRAPPING_POLICY = `
path "cubbyhole/response" { capabilities = ["create", "read"] }
path "sys/wrapping/unwrap" { capabilities = ["update"] }
`;
