import { deepEqual, equal, rejects, throws } from "node:assert/strict";
import { NOW, openedTexts, refused, type TestVault, withVault } from "../_test_support.ts";
import { heldBy } from "./held.ts";

const cutOffOf = ({ vault }: TestVault) => vault.engine.cutOff;

Deno.test("a cut-off ends the token, the one in grace, and blocks the user in one commit that a restart keeps", async () => {
  await withVault({}, async (it) => {
    const old = await it.issue("alice");
    const { token } = await it.vault.tokens.rotate({ user: "alice", graceSeconds: 600 });
    const bob = await it.issue("bob");
    const commits = it.vault.state.sequence;
    const report = await cutOffOf(it).cutOff("alice", "laptop stolen");
    equal(it.vault.state.sequence, commits + 1);
    deepEqual(report.cutOff, { at: NOW, reason: "laptop stolen" });
    deepEqual(report.ended, { evtTokens: 2, serviceTokens: 0, wrappedAnswers: 0, leases: 0 });
    deepEqual([it.works(old), it.works(token), it.works(bob)], [false, false, true]);
    await it.restart();
    deepEqual([it.works(old), it.works(token), it.works(bob)], [false, false, true]);
    deepEqual(it.vault.users.show("alice").cutOff, { at: NOW, reason: "laptop stolen" });
  });
});

Deno.test("a restored user is let in by new credentials alone", async () => {
  await withVault({}, async (it) => {
    const token = await it.issue("alice");
    await cutOffOf(it).cutOff("alice");
    await rejects(it.issue("alice"), refused("precondition_failed", /cut off/));
    await cutOffOf(it).restore("alice");
    equal(it.works(token), false, "what was revoked stays revoked");
    equal(it.works(await it.issue("alice")), true);
    equal(it.vault.users.show("alice").cutOff, null);
  });
});

Deno.test("a user who was disabled before the cut-off is disabled again when it is undone", async () => {
  await withVault({}, async (it) => {
    await it.issue("alice");
    await it.vault.users.disable("alice");
    await cutOffOf(it).cutOff("alice");
    await cutOffOf(it).cutOff("alice", "once more");
    await cutOffOf(it).restore("alice");
    const { disabled, cutOff } = it.vault.users.show("alice");
    deepEqual([disabled, cutOff], [true, null]);
    await it.vault.users.enable("alice");
    equal(it.works(await it.issue("alice")), true);
  });
});

Deno.test("neither enabling the user nor a write of the entity undoes a cut-off", async () => {
  await withVault({}, async (it) => {
    await it.issue("alice");
    const { entityId } = await cutOffOf(it).cutOff("alice");
    await rejects(it.vault.users.enable("alice"), refused("precondition_failed", /cut off/));
    const operator = { entityId: undefined, hasSudo: true };
    const { entities } = it.vault.engine.identity;
    await rejects(
      entities.write({ id: entityId }, { disabled: false }, operator),
      refused("invalid_argument", /cut off/),
    );
    await rejects(entities.patch(entityId, { disabled: false }, operator), refused("invalid_argument", /cut off/));
    equal(it.vault.users.show("alice").disabled, true);
  });
});

Deno.test("cutting off again ends again and keeps day and reason, unless one is given", async () => {
  await withVault({}, async (it) => {
    await it.issue("alice");
    const first = await cutOffOf(it).cutOff("alice", "laptop stolen");
    it.clock.advance(60_000);
    const second = await cutOffOf(it).cutOff("alice");
    deepEqual(second.cutOff, first.cutOff);
    equal(second.ended.evtTokens, 0);
    equal(it.vault.users.show("alice").epoch, 3);
    deepEqual((await cutOffOf(it).cutOff("alice", "and the phone")).cutOff, {
      at: NOW + 60_000,
      reason: "and the phone",
    });
  });
});

Deno.test("who isn't there, isn't cut off, or is given an unprintable reason is refused and nothing happens", async () => {
  await withVault({}, async (it) => {
    const token = await it.issue("alice");
    await rejects(cutOffOf(it).cutOff("nobody"), refused("not_found"));
    await rejects(cutOffOf(it).restore("alice"), refused("precondition_failed", /not cut off/));
    throws(() => cutOffOf(it).show("alice"), refused("precondition_failed", /not cut off/));
    for (const reason of ["", "two\nlines", "\u001b[2J", "x".repeat(257), "\ud800"]) {
      await rejects(cutOffOf(it).cutOff("alice", reason), refused("invalid_argument", /reason/));
    }
    equal(it.works(token), true);
  });
});

Deno.test("a commit that fails cuts nobody off", async () => {
  await withVault({}, async (it) => {
    const token = await it.issue("alice");
    it.store.failNext();
    await rejects(cutOffOf(it).cutOff("alice"), refused("storage_failed"));
    equal(it.works(token), true);
    equal(it.vault.users.show("alice").cutOff, null);
  });
});

Deno.test("S16: what is still held is told, each with its remedy; more than 250 score rows mean the FHE key", () => {
  const record = { entityId: "e", name: "alice", epoch: 1, disabled: true, createdAt: 0 };
  deepEqual(heldBy(record), []);
  const held = heldBy({ ...record, agentKeyLeftAt: 1, indexKeyLeftAt: 2, scoreRows: 250 });
  deepEqual(held.map(({ what, since, rows }) => [what, since, rows]), [
    ["data key", 1, undefined],
    ["shared index key", 2, undefined],
    ["score rows", null, 250],
  ]);
  equal(held.every(({ remedy }) => remedy.length > 0), true);
  equal(held.some(({ remedy }) => remedy.includes("must be taken as known")), false);
  const [rows] = heldBy({ ...record, scoreRows: 251 });
  equal(rows!.remedy, "the FHE key must be taken as known to them: runevault keys rotate");
});

Deno.test("S16: envelopes of a cut-off user open with a line in the log, and not for a role that refuses them", async () => {
  await withVault({}, async (it) => {
    const alice = it.identify(await it.issue("alice"));
    const bob = it.identify(await it.issue("bob"));
    const { envelopes, roles } = it.vault;
    const batch = await envelopes.seal(["a memory", "another"], alice.agentId);
    const own = await envelopes.seal(["bob's"], bob.agentId);
    const open = () => openedTexts(envelopes, [...batch, ...own], { user: bob.user, ownOnly: false });
    const warnings = () => it.logger.events.filter(({ event }) => event === "cut_off_envelopes_opened");
    await open();
    equal(warnings().length, 0);
    await cutOffOf(it).cutOff("alice");
    deepEqual(await open(), ["a memory", "another", "bob's"]);
    deepEqual(warnings().map(({ fields }) => fields), [{ user: "bob", authors: [alice.user.record.entityId] }]);
    await roles.update("member", { cutoffEnvelopes: "refuse" });
    const right = { user: bob.user, ownOnly: false, refusesCutOff: true };
    await rejects(
      openedTexts(envelopes, [own[0]!, batch[0]!], right),
      refused("scope_denied", /Item 1.*cut off/, { index: 1 }),
    );
    deepEqual(await openedTexts(envelopes, own, right), ["bob's"]);
    await cutOffOf(it).restore("alice");
    deepEqual(await openedTexts(envelopes, batch, right), ["a memory", "another"]);
  });
});

Deno.test("S16: the role's setting stands in the roles file, is taken from it, and from nothing else than open and refuse", async () => {
  await withVault({}, async (it) => {
    const { roles } = it.vault;
    await roles.create({ name: "careful", scope: [], topK: 1, rateLimit: "1/1s", cutoffEnvelopes: "refuse" });
    await rejects(
      roles.update("careful", { cutoffEnvelopes: "maybe" }),
      refused("invalid_argument", /cutoff_envelopes/),
    );
    equal((await roles.update("careful", { topK: 2 })).cutoffEnvelopes, "refuse", "other changes keep it");
    const text = await it.rolesFile();
    equal(text.includes("    cutoff_envelopes: refuse\n"), true);
    await Deno.writeTextFile(
      it.rolesPath,
      text.replace("    cutoff_envelopes: refuse\n", "    cutoff_envelopes: open\n"),
    );
    await it.vault.files.reload(false);
    equal(roles.show("careful").cutoffEnvelopes, undefined);
    const member = /( {2}member:\n)/;
    await Deno.writeTextFile(it.rolesPath, (await it.rolesFile()).replace(member, "$1    cutoff_envelopes: refuse\n"));
    await it.vault.files.reload(false);
    equal(roles.show("member").cutoffEnvelopes, "refuse");
    await Deno.writeTextFile(
      it.rolesPath,
      (await it.rolesFile()).replace("cutoff_envelopes: refuse", "cutoff_envelopes: shred"),
    );
    await it.vault.files.reload(false);
    equal(roles.show("member").cutoffEnvelopes, "refuse", "a bad file changes nothing");
    equal(it.status("roles").state, "refused");
  });
});
