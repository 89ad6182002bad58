"""Database accounts for users, by the client library that applications use: hvac.

Run with the vault's address, a root token and a JSON object that says how the server is reached; prints one line of JSON:
what was seen. Accounts are handed out and taken back; the test looks at the server meanwhile, on this program's word.
"""

import json
import sys

import hvac
from hvac import exceptions


def main():
    address, token, server = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
    admin = hvac.Client(url=address, token=token)
    database = admin.secrets.database
    admin.sys.enable_secrets_engine("database")
    database.configure(
        name="main",
        plugin_name=server["plugin"],
        allowed_roles=["chatbot-users"],
        connection_url=server["url"],
        username=server["username"],
        password=server["password"],
    )
    database.create_role(
        name="chatbot-users",
        db_name="main",
        creation_statements=server["creation"],
        default_ttl="1h",
        max_ttl="24h",
    )
    admin.sys.enable_auth_method("userpass")
    admin.sys.create_or_update_policy(
        "chatbot-user",
        'path "database/creds/{{identity.entity.name}}" { capabilities = ["read"] }',
    )
    seen = {"connections": database.list_connections()["data"]["keys"], "roles": database.list_roles()["data"]["keys"]}
    seen["shown"] = database.read_connection("main")["data"]["connection_details"]
    clients = {}
    for user in ("alice", "bob"):
        admin.auth.userpass.create_or_update_user(user, password=user + "-password", policies=["chatbot-user"])
        clients[user] = hvac.Client(url=address)
        clients[user].auth.userpass.login(user, user + "-password")
    first = clients["alice"].read("database/creds/alice")
    second = clients["alice"].read("database/creds/alice")
    third = clients["bob"].read("database/creds/bob")
    seen["issued"] = [one["data"] for one in (first, second, third)]
    seen["lease_id"] = first["lease_id"]
    seen["others"] = refusal(lambda: clients["bob"].read("database/creds/alice"))
    seen["unknown_role"] = refusal(lambda: admin.secrets.database.generate_credentials("nothing"))
    lease = admin.sys.read_lease(first["lease_id"])["data"]
    seen["lease"] = [lease["id"] == first["lease_id"], lease["renewable"]]
    seen["renewed"] = admin.sys.renew_lease(first["lease_id"], increment=1800)["lease_duration"]
    seen["listed"] = len(admin.sys.list_leases("database/creds/alice")["data"]["keys"])
    admin.sys.revoke_lease(first["lease_id"])
    seen["listed_after"] = len(admin.sys.list_leases("database/creds/alice")["data"]["keys"])
    clients["alice"].auth.token.revoke_self()
    database.reset_connection("main")
    admin.sys.revoke_prefix("database/creds/bob")
    seen["nothing_left"] = refusal(lambda: admin.sys.list_leases("database/creds/bob"))
    admin.sys.disable_secrets_engine("database")
    print(json.dumps(seen))


def refusal(call):
    try:
        call()
    except exceptions.VaultError as error:
        return type(error).__name__
    return None


main()
