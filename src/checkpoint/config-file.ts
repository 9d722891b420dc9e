/** @file Reads a small JSON file whose content nobody vouches for. */
import { ModelFormatError } from "../errors.ts";
import { FileSource } from "../formats/byte-source.ts";

/** Published configurations take two kilobytes; the trainer's table of aspect ratios adds a few more. */
const MAX_CONFIG_BYTES = 4 * 1024 * 1024;

/**
 * The parsed content.
 * @param maxBytes refuse longer files; the default is ample for configurations.
 * @throws InputError if it cannot be opened, ModelFormatError if it is too large or not JSON.
 */
export async function readConfigFile(path: string, maxBytes = MAX_CONFIG_BYTES): Promise<unknown> {
  const source = await FileSource.open(path);
  try {
    if (source.byteLength > maxBytes) {
      throw new ModelFormatError(`${source.byteLength} bytes are too many, at most ${maxBytes} are read`, {
        where: path,
      });
    }
    const text = new TextDecoder().decode(await source.read(0, source.byteLength));
    try {
      return JSON.parse(text);
    } catch (cause) {
      throw new ModelFormatError("is not JSON", { where: path, cause, remedy: "fetch the file again" });
    }
  } finally {
    await source.close();
  }
}
