/** @file Pictures with captions, as samples (docs/nextstep-spec.md 4.1, "image_text_pair"). */

import { join } from "node:path";
import { CaptionFiles } from "./caption-files.ts";
import type { FolderFiles } from "./file-walk.ts";
import { isPicture, readPicture, unusedFile } from "./source-picture.ts";
import type { FolderSources, SourceSample } from "./source-sample.ts";

/**
 * Every picture of a folder with its caption.
 * @throws DataFormatError for a damaged list of captions.
 */
export async function pictureSources(folder: string, { files }: FolderFiles): Promise<FolderSources> {
  const pictures = files.filter(isPicture);
  const captions = await CaptionFiles.open(folder, files, pictures);
  const samples = pictures.map(
    (name): SourceSample => ({
      name,
      async read() {
        const json = await captions.find(name);
        const { image, digest } = await readPicture(join(folder, name));
        return {
          json: { ...json, metadata: { ...json.metadata, source: name } },
          images: [image],
          contents: [digest],
        };
      },
    }),
  );
  const others = files.filter((name) => !isPicture(name) && !CaptionFiles.isCaptionFile(name));
  const unused = others.map((name) => unusedFile(name, "neither picture nor caption"));
  return { samples, passedOver: [...captions.passedOver, ...unused] };
}
