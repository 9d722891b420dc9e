/** @file Arrays one behind the other: tensors of one shape along their first axis, pieces of a file. */

export function joinedFloats(parts: readonly Float32Array[]): Float32Array<ArrayBuffer> {
  return filled(new Float32Array(lengthOf(parts)), parts);
}

export function joinedBytes(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  return filled(new Uint8Array(lengthOf(parts)), parts);
}

function lengthOf(parts: readonly { readonly length: number }[]): number {
  return parts.reduce((sum, { length }) => sum + length, 0);
}

function filled<
  Whole extends { set(part: Part, at: number): void },
  Part extends { readonly length: number },
>(whole: Whole, parts: readonly Part[]): Whole {
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
