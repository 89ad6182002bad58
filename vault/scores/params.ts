/**
 * The numbers of parameter set IP0 in evaluation mode RMP, the one that enVector indexes of this kind use.
 *
 * None of them is a choice of this program: a key or a ciphertext made with any other value is unreadable to the
 * other side. Each stands with its reason, so that nobody "tunes" one.
 *
 * @module
 */

/** Ring degree N: polynomials live in Z_m[X]/(X^4096 + 1). One ciphertext block carries N coefficients. */
export const DEGREE = 4096;

/** log2(N): the number of butterfly layers of a transform, and the number of bits that its order reverses. */
export const DEGREE_BITS = 12;

/** Ciphertext modulus Q = 2^51 - 131071, a prime with Q = 1 mod 2N, which is what makes the negacyclic NTT exist. */
export const Q = 2251799813554177n;

/** 2^51 - Q: small, so that a multiple of Q costs one short product instead of a long one. */
export const Q_BELOW_2_51 = 131071;

/** Special modulus P, a 55-bit prime with P = 1 mod 2N. Key switching works modulo Q*P and divides its noise by P. */
export const P = 36028797014376449n;

/** The smallest primitive 2N-th roots of unity. Stored polynomials are in the order that these roots define. */
export const PSI_Q = 278055349447n;
/** The smallest primitive 8192-th root of unity modulo P. */
export const PSI_P = 115736144453n;

/** Non-zero coefficients of a secret key: two thirds of N, so that each of -1, 0, 1 is about equally likely. */
export const SECRET_WEIGHT = 2730;

/** Standard deviation of the Gaussian that is rounded to make an error coefficient. */
export const ERROR_DEVIATION = 3.2;

/** log2 of the factor that items and queries are each multiplied by before they are rounded to integers. */
export const VECTOR_SCALE_BITS = 24;

/** log2 of the factor of a score: a product of an item and a query carries both of theirs. */
const SCORE_SCALE_BITS = 2 * VECTOR_SCALE_BITS;

/** What a centred coefficient is multiplied by to become a score. A power of two: the product is exact. */
export const SCORE_UNIT = 2 ** -SCORE_SCALE_BITS;

/** Bytes of one stored polynomial: N residues, each a little-endian 64-bit integer. */
export const POLY_BYTES = DEGREE * 8;

/** Name of the parameter set as it stands in key files. */
export const PRESET = "IP0";

/** Index dimensions that the parameter set covers. */
export const MIN_DIMENSION = 32;
/** The largest dimension of an index. */
export const MAX_DIMENSION = 4096;

/** Dimension of an index when neither an evaluation key nor the configuration tells it. */
export const DEFAULT_DIMENSION = 1024;

/** Key id of a vault whose operator named none, and in bundles of one that holds no key; Rune-Vault's only one. */
export const DEFAULT_KEY_ID = "vault-key";
