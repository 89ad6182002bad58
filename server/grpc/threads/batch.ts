/**
 * A batch of envelopes in the thread that its call came in by. The envelopes and the plaintexts stay here; which key may
 * be used for which is asked of the main thread, for each call anew, and no key is kept.
 *
 * @module
 */

import { eachItem } from "../../../vault/keys/batch.ts";
import {
  type Envelope,
  type EnvelopeHead,
  openEnvelope,
  parseEnvelope,
  sealEnvelope,
} from "../../../vault/keys/envelope.ts";
import { VaultError } from "../../../vault/errors.ts";
import type { RandomSource } from "../../../vault/ports.ts";
import { Slices, Turns } from "../../../vault/slices.ts";
import type { Refusal } from "./messages.ts";

/** So many envelopes are parsed before their keys are asked for: few enough that no answer is long or old. */
const PART_ITEMS = 256;

/** Asks which keys open envelopes; answers in the same order. */
export type AskKeys = (heads: readonly EnvelopeHead[]) => Promise<readonly (Uint8Array | Refusal)[]>;

/** Plaintexts as UTF-8, and how many of them came from version-1 envelopes. */
export interface OpenedBatch {
  readonly plaintexts: readonly Uint8Array[];
  readonly version1: number;
}

/** Batches of one thread, which share its turns. */
export class ThreadBatches {
  readonly #turns = new Turns();
  readonly #random: RandomSource;

  constructor(random: RandomSource) {
    this.#random = random;
  }

  /** Opens envelopes, in order; throws as `EnvelopeService.open()`. */
  async open(texts: readonly string[], askKeys: AskKeys, signal: AbortSignal): Promise<OpenedBatch> {
    const slices = new Slices(signal, this.#turns);
    const plaintexts: Uint8Array[] = [];
    let version1 = 0;
    for (let from = 0; from < texts.length; from += PART_ITEMS) {
      const parsed = await eachItem(texts.slice(from, from + PART_ITEMS), slices, parseOrRefuse);
      const keys = await keysOf(parsed, askKeys);
      const opened = await eachItem(parsed, slices, (envelope) => {
        if (envelope instanceof VaultError) throw envelope;
        if (envelope.version === 1) version1++;
        return openEnvelope(envelope, keys(envelope));
      }, from);
      for (const plaintext of opened) plaintexts.push(plaintext);
    }
    return { plaintexts, version1 };
  }

  /** Seals plaintexts for an agent. */
  seal(
    plaintexts: readonly string[],
    author: { agentId: string; keyVersion: number },
    key: Uint8Array,
    signal: AbortSignal,
  ): Promise<string[]> {
    return eachItem(plaintexts, new Slices(signal, this.#turns), (plaintext) => {
      return sealEnvelope(plaintext, { ...author, fromV1: false }, key, this.#random);
    });
  }
}

/** An envelope that is none must not be reported before one that stands ahead of it and may not be opened. */
function parseOrRefuse(text: string): Envelope | VaultError {
  try {
    return parseEnvelope(text);
  } catch (error) {
    if (error instanceof VaultError) return error;
    throw error;
  }
}

/** Asks once for each author and version. */
async function keysOf(
  parsed: readonly (Envelope | VaultError)[],
  askKeys: AskKeys,
): Promise<(envelope: Envelope) => Uint8Array> {
  const heads = new Map<string, EnvelopeHead>();
  for (const envelope of parsed) {
    if (envelope instanceof VaultError) continue;
    const name = nameOf(envelope);
    heads.set(name, { ...headOf(envelope), envelopes: (heads.get(name)?.envelopes ?? 0) + 1 });
  }
  const answers = heads.size === 0 ? [] : await askKeys([...heads.values()]);
  const keys = new Map([...heads.keys()].map((name, index) => [name, answers[index]!]));
  return (envelope) => {
    const key = keys.get(nameOf(envelope))!;
    if (key instanceof Uint8Array) return key;
    throw new VaultError(key[0], key[1]);
  };
}

function headOf(envelope: Envelope): EnvelopeHead {
  const { version, agentId } = envelope;
  return version === 1 ? { version, agentId } : { version, agentId, keyVersion: envelope.keyVersion };
}

function nameOf(envelope: Envelope): string {
  return envelope.version === 1 ? envelope.agentId : `${envelope.agentId}${envelope.keyVersion}`;
}
