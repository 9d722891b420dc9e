/** @file Arrays one behind the other: tensors of one shape along their first axis. */
export function joined(arrays: readonly Float32Array[]): Float32Array {
  const data = new Float32Array(arrays.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const array of arrays) {
    data.set(array, at);
    at += array.length;
  }
  return data;
}
