/** @file Kinds of data that are built of a folder, by their published names (docs/nextstep-spec.md 4.1). */

export const FOLDER_DATA_TYPES = ["image_text_pair", "image_editing", "nlp"] as const;
export type FolderDataType = (typeof FOLDER_DATA_TYPES)[number];
export const DEFAULT_FOLDER_DATA_TYPE: FolderDataType = "image_text_pair";
