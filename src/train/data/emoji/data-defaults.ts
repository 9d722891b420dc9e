/** @file How the example data is made unless asked otherwise. */

/** Three scenes and one edit for each picture of one subject on white; no portraits. */
export const DATA_DEFAULTS = Object.freeze({ sceneShare: 0.75, editShare: 0.25, avatars: 0, seed: 0 });
