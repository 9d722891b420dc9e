/**
 * @file Which libraries a Windows library names in its import tables (Microsoft, "PE Format", sections "Import Directory
 * Table" and "Delay-Load Import Tables").
 */

/** Of the optional header of 64-bit images, where the data directories begin. */
const DIRECTORIES_AT = 112;
const IMPORT_DIRECTORY = 1;
const DELAYED_DIRECTORY = 13;
/** Bytes of a table's entry, and where in it the name's address stands. */
const TABLES = Object.freeze({
  atLoad: { directory: IMPORT_DIRECTORY, entryBytes: 20, nameAt: 12 },
  delayed: { directory: DELAYED_DIRECTORY, entryBytes: 32, nameAt: 4 },
});

export interface ImportedLibraries {
  /** Without these the library does not load. */
  readonly atLoad: readonly string[];
  /** Loaded when one of their functions is first called. */
  readonly delayed: readonly string[];
}

/**
 * Names in lower case, in the order of the tables.
 * @param bytes a whole 64-bit image
 * @throws RangeError for what is none.
 */
export function importedLibraries(bytes: Uint8Array): ImportedLibraries {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const header = view.getUint32(0x3c, true);
  if (view.getUint32(header, true) !== 0x4550 || view.getUint16(header + 24, true) !== 0x20b) {
    throw new RangeError("not a 64-bit Windows image");
  }
  const sectionCount = view.getUint16(header + 6, true);
  const sectionsAt = header + 24 + view.getUint16(header + 20, true);
  /** Where an address of the loaded image lies in the file. */
  const fileOffset = (address: number): number => {
    for (let at = sectionsAt; at < sectionsAt + 40 * sectionCount; at += 40) {
      const start = view.getUint32(at + 12, true);
      const size = view.getUint32(at + 16, true);
      if (address >= start && address < start + size) return address - start + view.getUint32(at + 20, true);
    }
    throw new RangeError(`address ${address} is in no section`);
  };
  const textAt = (offset: number): string =>
    Buffer.from(bytes.subarray(offset, bytes.indexOf(0, offset))).toString("latin1");
  const names = ({ directory, entryBytes, nameAt }: (typeof TABLES)["atLoad" | "delayed"]): string[] => {
    const address = view.getUint32(header + 24 + DIRECTORIES_AT + 8 * directory, true);
    if (address === 0) return [];
    const found: string[] = [];
    for (let at = fileOffset(address); ; at += entryBytes) {
      const name = view.getUint32(at + nameAt, true);
      if (name === 0) return found;
      found.push(textAt(fileOffset(name)).toLowerCase());
    }
  };
  return { atLoad: names(TABLES.atLoad), delayed: names(TABLES.delayed) };
}
