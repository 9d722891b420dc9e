/** @file Files as torch.save wrote them before its zip archives, for tests. */

interface LegacyTensor {
  readonly shape: readonly number[];
  /** Row-major elements; stored in the order that `strides` asks for. */
  readonly data: ArrayLike<number>;
  /** In elements; row-major unless given. */
  readonly strides?: readonly number[];
}

const ascii = (text: string): number[] => [...new TextEncoder().encode(text)];
const int = (value: number, bytes: number): number[] =>
  Array.from({ length: bytes }, (_, i) => Math.floor(value / 256 ** i) % 256);
const text = (value: string): number[] => [0x58, ...int(ascii(value).length, 4), ...ascii(value)];
const number = (value: number): number[] => [0x4a, ...int(value, 4)];
const tuple = (...items: number[][]): number[] => [0x28, ...items.flat(), 0x74];
const global = (module: string, name: string): number[] => [0x63, ...ascii(`${module}\n${name}\n`)];
const program = (...parts: number[][]): number[] => [0x80, 2, ...parts.flat(), 0x2e];

const MAGIC = [0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, 0x2e];

function rowMajorStrides(shape: readonly number[]): number[] {
  const strides = shape.map(() => 1);
  for (let axis = shape.length - 2; axis >= 0; axis--) strides[axis] = strides[axis + 1]! * shape[axis + 1]!;
  return strides;
}

/** A whole file of float32 tensors. */
export function legacyTorchBytes(
  tensors: Readonly<Record<string, LegacyTensor>>,
  { version = 1001, littleEndian = true } = {},
): Uint8Array {
  const orderedDict = [...global("collections", "OrderedDict"), 0x29, 0x52];
  const entries = Object.entries(tensors);
  const views = entries.map(([name, { shape, data, strides = rowMajorStrides(shape) }], key) => {
    const storage = tuple(
      text("storage"),
      global("torch", "FloatStorage"),
      text(`k${key}`),
      text("cpu"),
      number(data.length),
      [0x4e],
    );
    const args = tuple(
      [...storage, 0x51],
      number(0),
      tuple(...shape.map(number)),
      tuple(...strides.map(number)),
      [0x89],
      orderedDict,
    );
    return [...text(name), ...global("torch._utils", "_rebuild_tensor_v2"), ...args, 0x52];
  });
  const storages = entries.map(([, { shape, data, strides = rowMajorStrides(shape) }]) => {
    const stored = new Float32Array(data.length);
    const order = rowMajorStrides(shape);
    for (let i = 0; i < data.length; i++) {
      let place = 0;
      shape.forEach((size, axis) => {
        place += (Math.floor(i / order[axis]!) % size) * strides[axis]!;
      });
      stored[place] = data[i]!;
    }
    return [...int(data.length, 8), ...new Uint8Array(stored.buffer)];
  });
  const flag = littleEndian ? 0x88 : 0x89;
  return Uint8Array.from([
    ...MAGIC,
    ...program(number(version)),
    ...program([0x7d, 0x28], text("little_endian"), [flag], [0x75]),
    ...program(orderedDict, [0x28], ...views, [0x75]),
    ...program([0x5d, 0x28], ...entries.map((_, key) => text(`k${key}`)), [0x65]),
    ...storages.flat(),
  ]);
}
