"""What applications do with a Vault, by the client library that they do it with: hvac.

Run with the vault's address and a root token; prints one line of JSON: what was seen.
"""

import json
import sys

import hvac
from hvac import exceptions


class Application:
    """Sets the vault up once, as an administrator."""

    def __init__(self, address, token):
        self.client = hvac.Client(url=address, token=token)

    def set_up(self):
        client = self.client
        assert client.is_authenticated()
        assert client.sys.is_initialized() and not client.sys.is_sealed()
        assert client.sys.read_health_status().status_code == 200
        client.sys.enable_auth_method("userpass")
        client.sys.enable_auth_method("identity")
        accessor = client.sys.list_auth_methods()["userpass/"]["accessor"]
        client.sys.create_or_update_policy(
            "chatbot-user",
            """
            path "identity/entity/id/{{identity.entity.id}}" { capabilities = ["read", "update"] }
            path "identity/oidc/token/chatbot-users" { capabilities = ["create", "read", "update"] }
            path "identity/entity-alias/id/{{identity.entity.alias.id}}" { capabilities = ["read"] }
            path "cubbyhole/by-name/{{identity.entity.aliases.userpass_auth.name}}" { capabilities = ["read"] }
            """,
        )
        client.write(
            "identity/oidc/key/chatbot-app", rotation_period="24h", verification_ttl="24h", algorithm="RS256"
        )
        client.write(
            "identity/oidc/role/chatbot-users",
            key="chatbot-app",
            template='{"user_id": "{{identity.entity.id}}", "email": {{identity.entity.metadata.email}}, '
            '"login": "{{identity.entity.aliases.userpass_auth.name}}"}',
        )
        return accessor

    def add_user(self, name, accessor):
        client = self.client
        client.auth.userpass.create_or_update_user(
            username=name, password=name + "-password", policies=["chatbot-user"]
        )
        entity = client.secrets.identity.create_or_update_entity(
            name=name, metadata={"email": name + "@example.org", "department": "research"}
        )
        entity_id = entity["data"]["id"]
        client.secrets.identity.create_or_update_entity_alias(
            name=name, canonical_id=entity_id, mount_accessor=accessor
        )
        return entity_id


class Session:
    """One user of the application, logged in."""

    def __init__(self, address, name):
        self.client = hvac.Client(url=address, token="stale")
        answer = self.client.auth.userpass.login(username=name, password=name + "-password")
        self.entity_id = answer["auth"]["entity_id"]
        self.policies = answer["auth"]["policies"]

    def remember(self, **facts):
        return self.client.write("identity/entity/id/" + self.entity_id, metadata=facts)

    def entity(self, entity_id=None):
        return self.client.read("identity/entity/id/" + (entity_id or self.entity_id))["data"]

    def token(self):
        return self.client.read("identity/oidc/token/chatbot-users")["data"]["token"]

    def token_by_post(self):
        return self.client.write("identity/oidc/token/chatbot-users", method="POST")["data"]["token"]

    def log_out(self):
        self.client.auth.token.revoke_self()
        return self.client.is_authenticated()


def refusal(action):
    try:
        action()
    except exceptions.VaultError as error:
        return type(error).__name__
    return None


def main(address, root):
    application = Application(address, root)
    accessor = application.set_up()
    ids = {name: application.add_user(name, accessor) for name in ("alice", "bob")}
    alice, bob = Session(address, "alice"), Session(address, "bob")
    alice.remember(session_id="s-1")
    seen = {
        "ids": ids,
        "session_entities": {"alice": alice.entity_id, "bob": bob.entity_id},
        "policies": alice.policies,
        "metadata": alice.entity()["metadata"],
        "jwts": {"alice": alice.token(), "alice_by_post": alice.token_by_post(), "bob": bob.token()},
        "others_entity": refusal(lambda: alice.entity(ids["bob"])),
        "own_policies": refusal(lambda: alice.client.write("identity/entity/id/" + alice.entity_id, policies=["root"])),
        "admin_key": refusal(lambda: alice.remember(email="evil@example.org")),
        "wrong_password": refusal(lambda: hvac.Client(url=address).auth.userpass.login("alice", "wrong")),
        "unknown_role": refusal(lambda: alice.client.read("identity/oidc/token/nobody")),
        "nothing_there": application.client.read("identity/entity/name/nobody"),
        "users": application.client.list("auth/userpass/users")["data"]["keys"],
        "users_by_list_verb": application.client.auth.userpass.list_user()["data"]["keys"],
        "entity_by_alias": application.client.secrets.identity.lookup_entity(
            alias_name="alice", alias_mount_accessor=accessor
        )["data"]["id"],
        "lookup_miss_is_204": application.client.secrets.identity.lookup_entity(name="nobody").status_code,
        "capabilities": alice.client.sys.get_capabilities(
            paths=["identity/oidc/token/chatbot-users"]
        )["data"]["capabilities"],
        "renewed": alice.client.auth.token.renew_self()["auth"]["renewable"],
        "accessors": len(application.client.list("auth/token/accessors")["data"]["keys"]) >= 3,
        "child": application.client.auth.token.create(policies=["chatbot-user"], ttl="1h")["auth"]["lease_duration"],
        "introspected": application.client.secrets.identity.introspect_signed_id_token(token=alice.token())["active"],
        "logged_in_after_logout": alice.log_out(),
        "bob_still_logged_in": bob.client.is_authenticated(),
    }
    print(json.dumps(seen))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
