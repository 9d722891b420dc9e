/** @file Data sets that are given as another type than they are, told by the captions of their first samples. */
import { ConfigError } from "../../errors.ts";
import { quoted } from "../../formats/quoted.ts";
import type { TarDataset } from "../data/dataset-reader.ts";
import { IMAGE_TAG_PATTERN } from "../data/image-tags.ts";
import { onSample, usableOr } from "../data/sample-error.ts";
import type { DataSetConfig } from "./model-train-config.ts";
import { captionOf, type SampleSettings } from "./samples.ts";

/** Samples that are looked at: those of a data set are of one kind. */
const LOOKED_AT = 16;

/**
 * @param field of the config that names the data set.
 * @throws ConfigError when pictures with captions have image tags, as edits have, or edits have none.
 */
export async function refuseMistakenType(
  data: Pick<TarDataset, "length" | "textAt" | "placeOf">,
  type: DataSetConfig["type"],
  captions: SampleSettings["captions"],
  field: string,
): Promise<void> {
  if (type !== "image_text_pair" && type !== "image_editing") return;
  const read: string[] = [];
  for (let index = 0; index < Math.min(LOOKED_AT, data.length); index++) {
    const reading = onSample(data.placeOf(index), async () =>
      captionOf(await data.textAt(index), captions, () => 0),
    );
    // What cannot be used is found, and named, when its visit comes.
    const caption = await usableOr(reading, undefined);
    if (caption !== undefined) read.push(caption);
  }
  const isTagged = (caption: string): boolean => caption.search(IMAGE_TAG_PATTERN) >= 0;
  const tagged = read.find(isTagged);
  if (type === "image_text_pair" && tagged !== undefined) {
    throw new ConfigError(`its captions have image tags, e.g. ${quoted(tagged)}: it holds edits`, {
      where: field,
      remedy: "list it in data with type image_editing",
    });
  }
  const [first] = read;
  if (type === "image_editing" && first !== undefined && tagged === undefined) {
    throw new ConfigError(`its captions have no image tags, e.g. ${quoted(first)}: it holds no edits`, {
      where: field,
      remedy: "set type to image_text_pair, or write <image_0> and so on where the pictures stand",
    });
  }
}
