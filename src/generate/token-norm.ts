/** @file Layer norm over a token, a setting of the first release (docs/nextstep-spec.md 3.2). */

const EPSILON = 1e-6;

/** Without weights, in place. token [64] */
export function normalizeToken(token: Float32Array): void {
  const mean = token.reduce((sum, value) => sum + value, 0) / token.length;
  const variance = token.reduce((sum, value) => sum + (value - mean) ** 2, 0) / token.length;
  const scale = 1 / Math.sqrt(variance + EPSILON);
  token.forEach((value, i) => {
    token[i] = (value - mean) * scale;
  });
}
