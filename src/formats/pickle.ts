/**
 * @file A pickle machine that can build only plain data and tensor descriptions. It calls nothing: a name that is
 * not on the list below is refused by name (docs/nextstep-spec.md 1.6).
 */

import { ModelFormatError, UnsupportedError } from "../errors.ts";
import type { DType } from "../tensor/dtype.ts";
import { MAX_RANK } from "../tensor/shape.ts";
import { quoted } from "./quoted.ts";

/** Storage classes by dtype. */
export const STORAGE_DTYPES: ReadonlyMap<string, DType> = new Map<string, DType>([
  ["DoubleStorage", "float64"],
  ["FloatStorage", "float32"],
  ["HalfStorage", "float16"],
  ["BFloat16Storage", "bfloat16"],
  ["LongStorage", "int64"],
  ["IntStorage", "int32"],
  ["ShortStorage", "int16"],
  ["CharStorage", "int8"],
  ["ByteStorage", "uint8"],
  ["BoolStorage", "bool"],
]);

/** A pickle describes a tensor in about 150 bytes and 45 operations: room for more than 40 000 tensors. */
export const MAX_PICKLE_BYTES = 8 * 1024 * 1024;
const MAX_OPERATIONS = 2_000_000;
const MAX_STACK = 1 << 20;
const MAX_GLOBAL_CHARACTERS = 200;

/** Elements of one storage member of the archive. */
export class StorageReference {
  constructor(
    readonly dtype: DType,
    readonly key: string,
    /** Elements in the storage. */
    readonly count: number,
  ) {}
}

/** A view of a storage; numbers are as the pickle states them, not yet checked against the storage. */
export class TensorReference {
  constructor(
    readonly storage: StorageReference,
    readonly offset: number,
    readonly shape: readonly number[],
    readonly strides: readonly number[],
  ) {}
}

class Tuple {
  constructor(readonly items: readonly PickleValue[]) {}
}

export class List {
  readonly items: PickleValue[] = [];
}

export type PickleDict = Map<PickleValue, PickleValue>;

/** One of the few names that a pickle may mention. */
type Callable = "ordered dict" | "rebuild tensor" | "rebuild parameter";

class Global {
  constructor(readonly meaning: Callable | DType) {}
}

export type PickleValue =
  | null
  | boolean
  | number
  | string
  | Tuple
  | List
  | PickleDict
  | Global
  | StorageReference
  | TensorReference;

function findGlobal(module: string, name: string): Global | undefined {
  if (module === "collections" && name === "OrderedDict") return new Global("ordered dict");
  if (module === "torch._utils" && name === "_rebuild_tensor_v2") return new Global("rebuild tensor");
  if (module === "torch._utils" && name === "_rebuild_parameter") return new Global("rebuild parameter");
  const dtype = module === "torch" ? STORAGE_DTYPES.get(name) : undefined;
  return dtype === undefined ? undefined : new Global(dtype);
}

/**
 * Runs a pickle of protocol 2 to 5. Throws ModelFormatError if it is damaged, UnsupportedError (naming what it
 * asked for) if it wants anything but plain data and tensors.
 */
export function readPickle(bytes: Uint8Array, where: string): PickleValue {
  return new PickleMachine(bytes, where).run();
}

/** Runs the pickle that begins at a place among other bytes, and says where it ends. Throws as {@link readPickle}. */
export function readPickleAt(
  bytes: Uint8Array,
  begin: number,
  where: string,
): { readonly value: PickleValue; readonly end: number } {
  const machine = new PickleMachine(bytes.subarray(begin), where);
  const value = machine.run();
  return { value, end: begin + machine.position };
}

class PickleMachine {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #where: string;
  readonly #stack: PickleValue[] = [];
  /** Stack heights at which marks lie. */
  readonly #marks: number[] = [];
  readonly #memo = new Map<number, PickleValue>();
  readonly #utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  #at = 0;

  constructor(bytes: Uint8Array, where: string) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#where = where;
  }

  /** Bytes read so far. */
  get position(): number {
    return this.#at;
  }

  run(): PickleValue {
    if (this.#bytes.byteLength > MAX_PICKLE_BYTES) this.#fail("is too large");
    for (let operations = 0; operations < MAX_OPERATIONS; operations++) {
      const opcode = this.#byte();
      if (opcode === STOP) {
        const result = this.#pop();
        if (this.#stack.length > 0 || this.#marks.length > 0) this.#fail("ends with values left over");
        return result;
      }
      this.#execute(opcode);
      if (this.#stack.length + this.#marks.length > MAX_STACK) this.#fail("needs too deep a stack");
    }
    return this.#fail("takes too many operations");
  }

  #execute(opcode: number): void {
    const stack = this.#stack;
    switch (opcode) {
      case 0x80: {
        const protocol = this.#byte();
        if (protocol < 2 || protocol > 5) this.#unsupported(`pickle protocol ${protocol}`);
        return;
      }
      case 0x95: // FRAME: a hint for streaming readers
        this.#skip(8);
        return;
      case 0x28: // (
        this.#marks.push(stack.length);
        return;
      case 0x4e: // N
        stack.push(null);
        return;
      case 0x88:
        stack.push(true);
        return;
      case 0x89:
        stack.push(false);
        return;
      case 0x4b: // K: BININT1
        stack.push(this.#byte());
        return;
      case 0x4d: // M: BININT2
        stack.push(this.#view.getUint16(this.#skip(2), true));
        return;
      case 0x4a: // J: BININT
        stack.push(this.#view.getInt32(this.#skip(4), true));
        return;
      case 0x8a: // LONG1
        stack.push(this.#long(this.#byte()));
        return;
      case 0x47: // G: BINFLOAT, big-endian
        stack.push(this.#view.getFloat64(this.#skip(8), false));
        return;
      case 0x58: // X: BINUNICODE
        stack.push(this.#text(this.#view.getUint32(this.#skip(4), true)));
        return;
      case 0x8c: // SHORT_BINUNICODE
        stack.push(this.#text(this.#byte()));
        return;
      case 0x5d: // ]
        stack.push(new List());
        return;
      case 0x7d: // }
        stack.push(new Map());
        return;
      case 0x29: // )
        stack.push(new Tuple([]));
        return;
      case 0x85:
      case 0x86:
      case 0x87:
        stack.push(new Tuple(this.#popMany(opcode - 0x84)));
        return;
      case 0x74: // t
        stack.push(new Tuple(this.#popToMark()));
        return;
      case 0x61: // a: APPEND
        this.#append(this.#popMany(1));
        return;
      case 0x65: // e: APPENDS
        this.#append(this.#popToMark());
        return;
      case 0x73: // s: SETITEM
        this.#setItems(this.#popMany(2));
        return;
      case 0x75: // u: SETITEMS
        this.#setItems(this.#popToMark());
        return;
      case 0x71: // q: BINPUT
        this.#memo.set(this.#byte(), this.#top());
        return;
      case 0x72: // r: LONG_BINPUT
        this.#memo.set(this.#view.getUint32(this.#skip(4), true), this.#top());
        return;
      case 0x94: // MEMOIZE
        this.#memo.set(this.#memo.size, this.#top());
        return;
      case 0x68: // h: BINGET
        stack.push(this.#recall(this.#byte()));
        return;
      case 0x6a: // j: LONG_BINGET
        stack.push(this.#recall(this.#view.getUint32(this.#skip(4), true)));
        return;
      case 0x63: // c: GLOBAL
        stack.push(this.#global(this.#line(), this.#line()));
        return;
      case 0x93: {
        // STACK_GLOBAL
        const [module, name] = this.#popMany(2);
        if (typeof module !== "string" || typeof name !== "string") this.#fail("names no class");
        stack.push(this.#global(module, name));
        return;
      }
      case 0x51: // Q: BINPERSID
        stack.push(this.#storage(this.#pop()));
        return;
      case 0x52: // R: REDUCE
        stack.push(this.#reduce());
        return;
      case 0x62: {
        // b: BUILD; state dicts carry version notes this way, which do not concern tensors
        const [target] = this.#popMany(2);
        if (!(target instanceof Map)) this.#unsupported("object state");
        stack.push(target);
        return;
      }
      default:
        this.#unsupported(`pickle operation 0x${opcode.toString(16)}`);
    }
  }

  #reduce(): PickleValue {
    const [callable, args] = this.#popMany(2);
    if (!(callable instanceof Global) || !(args instanceof Tuple))
      return this.#fail("calls what cannot be called");
    const { items } = args;
    switch (callable.meaning) {
      case "ordered dict":
        if (items.length > 0) this.#unsupported("an OrderedDict with arguments");
        return new Map();
      case "rebuild parameter":
        if (!(items[0] instanceof TensorReference)) return this.#fail("has a parameter without a tensor");
        return items[0];
      case "rebuild tensor":
        return this.#tensor(items);
      default:
        return this.#fail("calls a storage class");
    }
  }

  /** Arguments: storage, offset, size, stride, requires_grad, hooks and, in newer files, metadata. */
  #tensor(items: readonly PickleValue[]): TensorReference {
    const [storage, offset, shape, strides, , , metadata = null] = items;
    if (!(storage instanceof StorageReference) || items.length < 6 || items.length > 7) {
      return this.#fail("has a tensor without storage");
    }
    // It would say that the stored numbers are conjugated or negated.
    if (metadata !== null && !(metadata instanceof Map && metadata.size === 0)) {
      this.#unsupported("a tensor with metadata");
    }
    return new TensorReference(storage, this.#size(offset), this.#sizes(shape), this.#sizes(strides));
  }

  /** Persistent id: ("storage", class, key, device, element count). */
  #storage(id: PickleValue): StorageReference {
    const [kind, type, key, , count] = id instanceof Tuple ? id.items : [];
    if (kind !== "storage" || !(type instanceof Global) || typeof key !== "string") {
      return this.#fail("has a malformed storage");
    }
    const dtype = type.meaning;
    if (dtype === "ordered dict" || dtype === "rebuild tensor" || dtype === "rebuild parameter") {
      return this.#fail("has a storage of no type");
    }
    return new StorageReference(dtype, key, this.#size(count));
  }

  #size(value: PickleValue | undefined): number {
    if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) {
      return this.#fail("has a size that is not a non-negative integer");
    }
    return value;
  }

  #sizes(value: PickleValue | undefined): number[] {
    if (!(value instanceof Tuple)) return this.#fail("has a shape that is not a tuple");
    // Before the walk: a small pickle can name one long tuple many times.
    if (value.items.length > MAX_RANK) return this.#fail(`has a shape of more than ${MAX_RANK} axes`);
    return value.items.map((item) => this.#size(item));
  }

  #global(module: string, name: string): Global {
    const found = findGlobal(module, name);
    if (found === undefined) {
      this.#unsupported(quoted(`${module}.${name}`));
    }
    return found;
  }

  #append(items: readonly PickleValue[]): void {
    const target = this.#top();
    if (!(target instanceof List)) this.#fail("appends to what is not a list");
    for (const item of items) target.items.push(item);
  }

  #setItems(items: readonly PickleValue[]): void {
    const target = this.#top();
    if (!(target instanceof Map) || items.length % 2 !== 0) this.#fail("sets items of what is not a dict");
    for (let i = 0; i < items.length; i += 2) {
      const key = items[i]!;
      if (typeof key === "object" && key !== null) this.#unsupported("a dict key that is not a name");
      if (target.has(key)) this.#fail(`has the key ${quoted(String(key))} twice`);
      target.set(key, items[i + 1]!);
    }
  }

  #recall(index: number): PickleValue {
    const value = this.#memo.get(index);
    return value === undefined ? this.#fail("refers to a value that it has not stored") : value;
  }

  #top(): PickleValue {
    const value = this.#stack.at(-1);
    // Values below a mark belong to an unfinished tuple or list.
    if (value === undefined || this.#stack.length <= (this.#marks.at(-1) ?? 0))
      return this.#fail("lacks a value");
    return value;
  }

  #pop(): PickleValue {
    const value = this.#top();
    this.#stack.pop();
    return value;
  }

  #popMany(count: number): PickleValue[] {
    if (this.#stack.length - count < (this.#marks.at(-1) ?? 0)) return this.#fail("lacks a value");
    return this.#stack.splice(this.#stack.length - count);
  }

  #popToMark(): PickleValue[] {
    const mark = this.#marks.pop();
    return mark === undefined ? this.#fail("lacks a mark") : this.#stack.splice(mark);
  }

  /** Moves on by `count` bytes and returns where they began. */
  #skip(count: number): number {
    const start = this.#at;
    if (count > this.#bytes.byteLength - start) this.#fail("ends too early");
    this.#at += count;
    return start;
  }

  #byte(): number {
    return this.#bytes[this.#skip(1)]!;
  }

  #long(byteCount: number): number {
    const start = this.#skip(byteCount);
    let value = 0n;
    for (let i = byteCount - 1; i >= 0; i--) value = (value << 8n) | BigInt(this.#bytes[start + i]!);
    const signed = Number(BigInt.asIntN(8 * byteCount, value));
    if (!Number.isSafeInteger(signed)) this.#fail("has an integer out of range");
    return signed;
  }

  #text(byteCount: number): string {
    const start = this.#skip(byteCount);
    try {
      return this.#utf8.decode(this.#bytes.subarray(start, start + byteCount));
    } catch {
      return this.#fail("has a name that is not UTF-8");
    }
  }

  #line(): string {
    const end = this.#bytes.subarray(0, this.#at + MAX_GLOBAL_CHARACTERS).indexOf(0x0a, this.#at);
    if (end < 0) this.#fail("names a class without end");
    const text = this.#text(end - this.#at);
    this.#skip(1);
    return text;
  }

  #fail(reason: string): never {
    throw new ModelFormatError(`its pickle ${reason} (byte ${this.#at})`, {
      where: this.#where,
      remedy: "the file is damaged: fetch it again",
    });
  }

  #unsupported(what: string): never {
    throw new UnsupportedError(`its pickle asks for ${what}, which is refused: only tensors are read`, {
      where: this.#where,
      remedy: "save a plain dict of tensors with torch.save(model.state_dict())",
    });
  }
}

const STOP = 0x2e;
