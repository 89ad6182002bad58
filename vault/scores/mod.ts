/**
 * The score domain: opening score ciphertexts with the FHE secret key, and making the keys.
 *
 * Owns the arithmetic of parameter set IP0 in mode RMP, the forms of score ciphertexts and key files, and the threads
 * on which all of it runs. Relies on `vault/errors.ts` and `vault/ports.ts` alone. Leaves to its neighbours: who may
 * ask, how many rows a role allows and a user has had, where key files are kept and how they are sealed at rest, and
 * what goes into a key bundle.
 *
 * `docs/fhe.md` says what was checked against what, the error rates of the noise test, and why the right to have
 * scores decrypted is worth the secret key.
 *
 * @module
 */

export type { ScoreDecryptor, ScoreKey } from "./score_decryptor.ts";
export type { ScoreRow } from "./top_rows.ts";
export { ScoreWorkers, type ScoreWorkersOptions } from "./score_workers.ts";
export {
  inspectKeySet,
  type KeySetFacts,
  type KeySetFiles,
  readEncryptionKeyFile,
  readEvaluationKeyFile,
  readSecretKeyFile,
} from "./key_files.ts";
export { assertKeyId, KEY_FORMATS, type KeyFacts, type KeyFormat, type KeyFormatRow } from "./key_envelope.ts";
export {
  assertKeyDimension,
  generateKeySet,
  type KeyProgress,
  type KeySetRequest,
  type NewKeySetFiles,
} from "./key_generation.ts";
export { generateKeySetInThread, inspectKeySetInThread, type KeyTaskOptions } from "./key_tasks.ts";
export type { EvaluationKey } from "./evaluation_key.ts";
export { FheSecretKey } from "./secret_key.ts";
export { DEFAULT_DIMENSION, DEFAULT_KEY_ID } from "./params.ts";
