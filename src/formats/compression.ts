/** @file Compressed files by their first bytes. */

/** Bytes that are needed to tell. */
export const COMPRESSION_BYTES = 8;

export interface Compression {
  readonly name: string;
  /** What unpacks it. */
  readonly command: string;
}

/** Long enough, or with bytes that no name has, so that an archive that begins with a name is not taken for one. */
const COMPRESSIONS: readonly (readonly [magic: readonly (number | undefined)[], Compression])[] = [
  [[0x1f, 0x8b], { name: "gzip", command: "gunzip FILE" }],
  [[0x1f, 0x9d], { name: "compress", command: "uncompress FILE" }],
  [[0x42, 0x5a, 0x68, undefined, 0x31, 0x41, 0x59, 0x26], { name: "bzip2", command: "bunzip2 FILE" }],
  [[0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00], { name: "xz", command: "unxz FILE" }],
  [[0x28, 0xb5, 0x2f, 0xfd], { name: "zstd", command: "unzstd FILE" }],
  [[0x04, 0x22, 0x4d, 0x18], { name: "lz4", command: "unlz4 FILE" }],
  [[0x4c, 0x5a, 0x49, 0x50, 0x01], { name: "lzip", command: "lzip -d FILE" }],
  [[0x50, 0x4b, 0x03, 0x04], { name: "zip", command: "unzip FILE, then tar -cf FILE.tar FOLDER" }],
  [[0x37, 0x7a, 0xbc, 0xaf, 0x27, 0x1c], { name: "7z", command: "7z x FILE, then tar -cf FILE.tar FOLDER" }],
  [
    [0x52, 0x61, 0x72, 0x21, 0x1a, 0x07],
    { name: "rar", command: "unrar x FILE, then tar -cf FILE.tar FOLDER" },
  ],
];

/** How a file is compressed, by its first {@link COMPRESSION_BYTES} bytes; undefined if it is not in a known way. */
export function compressionOf(start: Uint8Array): Compression | undefined {
  return COMPRESSIONS.find(([magic]) =>
    magic.every((byte, index) => byte === undefined || start[index] === byte),
  )?.[1];
}
