import { deepEqual } from "node:assert/strict";
import { FakeClock, MemoryLogger } from "../tests/fakes/ports.ts";
import { warnOfEnds } from "./tls_watch.ts";

const DAY_MS = 86_400_000;
const NOW = Date.parse("2026-11-28T12:00:00Z");

function warned(days: Readonly<Record<"server" | "ca", number>>): string[] {
  const logger = new MemoryLogger();
  const ends = (["server", "ca"] as const).map((certificate) => ({
    certificate,
    notAfter: NOW + days[certificate] * DAY_MS,
  }));
  warnOfEnds(ends, { clock: new FakeClock(NOW), logger });
  return logger.events.map(({ event, fields }) => `${event} ${fields["certificate"]} ${fields["days"]}`);
}

Deno.test("a certificate's end is warned of once renewal should have happened, and a CA's half a year ahead", () => {
  deepEqual(warned({ server: 29, ca: 400 }), []);
  deepEqual(warned({ server: 21, ca: 400 }), ["tls_certificate_ends_soon server 21"]);
  deepEqual(warned({ server: 300, ca: 180 }), ["tls_certificate_ends_soon ca 180"]);
  deepEqual(warned({ server: -1, ca: -3 }), ["tls_certificate_ends_soon server -1", "tls_certificate_ends_soon ca -3"]);
});
