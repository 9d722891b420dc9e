/** @file Floats as the bytes of a file: little-endian, whatever the machine. */

const FLOAT = Float32Array.BYTES_PER_ELEMENT;

export function floatBytes(values: Float32Array): Uint8Array<ArrayBuffer> {
  const view = new DataView(new ArrayBuffer(values.length * FLOAT));
  values.forEach((value, index) => {
    view.setFloat32(index * FLOAT, value, true);
  });
  return new Uint8Array(view.buffer);
}

/** The inverse of {@link floatBytes}. The bytes may begin anywhere in their buffer. */
export function floatsOf(bytes: Uint8Array): Float32Array<ArrayBuffer> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Float32Array.from({ length: bytes.length / FLOAT }, (_, index) =>
    view.getFloat32(index * FLOAT, true),
  );
}
