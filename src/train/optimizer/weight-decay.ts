/** @file Which parameters are decayed (docs/nextstep-spec.md 4.6). */

/**
 * Layer norms of the published model, by the last part of a weight's path before ".weight". The RMS norms of the
 * backbone are no nn.LayerNorm and are decayed, as the published trainer does.
 */
const LAYER_NORM = /(^|\.)in_ln\.weight$/;
/** The autoencoder's group norms: scales around one that decay would pull to zero. */
const GROUP_NORM = /(^|\.)(encoder|decoder)\.(.*\.)?(norm\d?|norm_out)\.weight$/;

/** True for every parameter whose name lacks "bias" and that does not belong to a layer norm or group norm. */
export function isDecayed(name: string): boolean {
  return !name.includes("bias") && !LAYER_NORM.test(name) && !GROUP_NORM.test(name);
}
