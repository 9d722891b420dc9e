/** @file Names of files below a folder, as listed by the system and as written in tables. */

/** Without its extension. */
export function stemOf(name: string): string {
  return name.replace(/\.[^./]*$/, "");
}

/** The folder of a name; "" for the root. */
export function folderOf(name: string): string {
  return name.slice(0, Math.max(0, name.lastIndexOf("/")));
}

/**
 * One spelling for names that mean one file: tables come from systems that write slashes and accents in other ways
 * and extensions in capitals.
 */
export function sameName(name: string): string {
  return name
    .normalize("NFC")
    .replaceAll("\\", "/")
    .replace(/^(?:\.\/)+/, "")
    .replace(/\.[^./]*$/, (extension) => extension.toLowerCase());
}

/** Finds files by names in any spelling. */
export class FileNames {
  readonly #exact: ReadonlySet<string>;
  readonly #names: ReadonlyMap<string, string>;

  constructor(names: readonly string[]) {
    this.#exact = new Set(names);
    this.#names = new Map(names.map((name) => [sameName(name), name]));
  }

  /** The name as the system knows it; undefined for one that is not among them, as every path outside is. */
  find(name: string): string | undefined {
    return this.#exact.has(name) ? name : this.#names.get(sameName(name));
  }
}
