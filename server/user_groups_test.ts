import { equal, rejects } from "node:assert/strict";
import { groupId } from "./user_groups.ts";

Deno.test("groupId() takes numbers as they are and names from the file of groups, and no others", async () => {
  const file = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(file, "root:x:0:\nvault-admins:x:4711:carol,dave\nbroken\nodd:x:many:\n");
    equal(await groupId("17", file), 17);
    equal(await groupId("vault-admins", file), 4711);
    for (const name of ["vault", "carol", "broken", "odd", "", "x", "0x10", "-1"]) {
      await rejects(groupId(name, file), { kind: "config_invalid" }, name);
    }
  } finally {
    await Deno.remove(file);
  }
});
