/** @file One shard into blocks: read once from front to back, rounded by all threads, written where everything belongs. */
import { join } from "node:path";
import { officialModelName } from "../checkpoint/official-names.ts";
import { formatOf } from "../checkpoint/quantized/conversion-formats.ts";
import { inMappableOrder, matchesPattern, nextstepParts } from "../checkpoint/quantized/nextstep-layout.ts";
import { ModelFormatError, refuseAborted } from "../errors.ts";
import { digestFile } from "../files/file-digest.ts";
import { ReplacementFile } from "../files/replacement-file.ts";
import type { ByteSource } from "../formats/byte-source.ts";
import { SafetensorsFile } from "../formats/safetensors.ts";
import { layOutSafetensors } from "../formats/safetensors-writer.ts";
import type { BlockFormat } from "../model/weight-format.ts";
import { bytesOf, bytesPerElement, type DType, elementsFromBytes } from "../tensor/dtype.ts";
import { byteLength, sameShape } from "../tensor/shape.ts";
import type { ConversionManifest, ConvertedShard } from "./conversion-manifest.ts";
import { DigestedSource } from "./digested-source.ts";
import type { QuantizePool } from "./quantize-pool.ts";
import type { QuantizedRows, RoundingError } from "./quantize-rows.ts";
import type { SourceShard } from "./shard-source.ts";

/** Elements that a thread is given at a time. */
const PIECE_ELEMENTS = 1 << 22;
/** Bytes copied at a time. */
const PIECE_BYTES = 1 << 24;

type Method = ConversionManifest["method"];

export interface ShardTask {
  readonly shard: SourceShard;
  /** Folder of the result, which gets the shard's name. */
  readonly target: string;
  readonly method: Method;
  /** Shape of every weight of the model, by official name. */
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  readonly pool: QuantizePool;
  readonly signal?: AbortSignal | undefined;
  /** Told after each piece: bytes of the shard that are read. */
  readonly onRead: (bytes: number) => void;
}

/** A tensor of the shard. */
interface Member {
  /** Official. */
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
  /** Undefined for what is copied. */
  readonly format: BlockFormat | undefined;
}

/**
 * Converts a shard; the result appears when it is whole.
 * @throws ModelFormatError for tensors that do not fit the configuration or are not finite; what the shard has for another
 * content than was promised; AbortedError.
 */
export async function convertShard(task: ShardTask): Promise<ConvertedShard> {
  const { shard, target, method, signal } = task;
  const source = new DigestedSource(await shard.open());
  let file: ReplacementFile | undefined;
  try {
    const members = await membersOf(source, task);
    const parts = inMappableOrder(members.flatMap(resultOf));
    const layout = layOutSafetensors(parts, new Map([["format", "pt"]]));
    const begins = new Map(parts.map(({ name }, i) => [name, layout.begins[i] as number]));
    const path = join(target, shard.file);
    file = await ReplacementFile.create(path);
    await file.writeAt(layout.header, 0);
    const run = new ShardRun(task, source, file, begins);
    await run.convert(members);
    const sha256 = source.digest();
    const { expected } = shard;
    if (expected !== undefined && sha256 !== expected.sha256) {
      // What was only fetched is dropped: it will be fetched again.
      await shard.release();
      throw expected.otherContent();
    }
    await file.commit();
    return {
      source: { bytes: source.byteLength, sha256 },
      result: { bytes: layout.byteLength, sha256: await digestFile(path, signal) },
      tensors: parts.map(({ name }) => name),
      tensorBytes: parts.reduce((sum, { dtype, shape }) => sum + byteLength(dtype, shape), 0),
      rounding: roundingByPattern(run.errors, method),
    };
  } catch (error) {
    await file?.discard();
    throw error;
  } finally {
    await source.close();
  }
}

/** The tensors of the shard in the order of the file, checked against the model. */
async function membersOf(source: ByteSource, { method, shapes }: ShardTask): Promise<Member[]> {
  const { tensors } = await SafetensorsFile.read(source);
  const members = Array.from(tensors, ([storedName, { dtype, shape, begin, end }]): Member => {
    const { name } = officialModelName(storedName);
    const expected = shapes.get(name);
    if (expected !== undefined && !sameShape(shape, expected)) {
      throw new ModelFormatError(`tensor "${name}" has shape [${shape}], expected [${expected}]`, {
        where: source.name,
        remedy: "config.json and weights must come from the same model",
      });
    }
    const format = expected === undefined ? undefined : formatOf(name, method.formats);
    return { name, dtype, shape, begin, end, format };
  });
  return members.sort((a, b) => a.begin - b.begin || a.end - b.end);
}

/** What is stored for a tensor. */
function resultOf({ name, dtype, shape, format }: Member) {
  if (format === undefined) return [{ name, dtype, shape }];
  return nextstepParts(name, shape as readonly [number, number], format);
}

function roundingByPattern(
  pieces: readonly PieceError[],
  { formats }: Method,
): Record<string, RoundingError> {
  const sums: Record<string, RoundingError> = {};
  for (const { name, squaredError, squaredTotal } of pieces) {
    const pattern = Object.keys(formats).find((candidate) => matchesPattern(name, candidate)) ?? name;
    const sum = sums[pattern] ?? { squaredError: 0, squaredTotal: 0 };
    sums[pattern] = {
      squaredError: sum.squaredError + squaredError,
      squaredTotal: sum.squaredTotal + squaredTotal,
    };
  }
  return sums;
}

/** Of some rows of a weight. */
interface PieceError extends RoundingError {
  readonly name: string;
}

/** The reading and writing of one shard. */
class ShardRun {
  readonly #task: ShardTask;
  readonly #source: DigestedSource;
  readonly #file: ReplacementFile;
  /** Of each tensor in the result. */
  readonly #begins: ReadonlyMap<string, number>;
  readonly #onTheWay = new Set<Promise<void>>();
  #pieces = 0;
  #failure: { readonly error: unknown } | undefined;
  /** In the order of the file, so that sums do not depend on which thread was first. */
  readonly errors: PieceError[] = [];

  constructor(
    task: ShardTask,
    source: DigestedSource,
    file: ReplacementFile,
    begins: ReadonlyMap<string, number>,
  ) {
    this.#task = task;
    this.#source = source;
    this.#file = file;
    this.#begins = begins;
  }

  async convert(members: readonly Member[]): Promise<void> {
    try {
      // They follow the header, which is read, without gaps, as its reader made sure.
      for (const member of members) {
        if (member.format === undefined) await this.#copy(member);
        else await this.#quantize(member, member.format);
      }
    } finally {
      // Nothing writes any more when the file is closed.
      await Promise.allSettled(this.#onTheWay);
    }
    this.#refuseFailed();
  }

  async #copy({ name, begin, end }: Member): Promise<void> {
    const target = this.#begins.get(name) as number;
    for (let at = begin; at < end; at = this.#source.position) {
      await this.#file.writeAt(await this.#next(Math.min(PIECE_BYTES, end - at)), target + at - begin);
    }
  }

  async #quantize({ name, dtype, shape }: Member, format: BlockFormat): Promise<void> {
    const [outputs, inputs] = shape as readonly [number, number];
    const rowBytes = inputs * bytesPerElement(dtype);
    const step = Math.max(1, Math.floor(PIECE_ELEMENTS / inputs));
    const fit = format.bits === 4 ? this.#task.method.fit : "nearest";
    for (let row = 0; row < outputs; row += step) {
      const place = this.#pieces++;
      const rows = Math.min(step, outputs - row);
      const data = elementsFromBytes(dtype, await this.#next(rows * rowBytes));
      const work = this.#task.pool
        .run({ name, dtype, data, rows, inputs, format, fit })
        .then((result) => {
          const { squaredError, squaredTotal } = result;
          this.errors[place] = { name, squaredError, squaredTotal };
          return this.#store(name, row, rows, format, result);
        })
        .catch((error: unknown) => {
          this.#failure ??= { error };
        })
        .finally(() => this.#onTheWay.delete(work));
      this.#onTheWay.add(work);
      // One piece waits for each thread, so that none is ever idle and little is in memory.
      if (this.#onTheWay.size > 2 * this.#task.pool.threads) await Promise.race(this.#onTheWay);
    }
  }

  async #store(
    name: string,
    row: number,
    rows: number,
    format: BlockFormat,
    { blocks }: QuantizedRows,
  ): Promise<void> {
    const pieces = [
      blocks.packed,
      blocks.scales,
      ...(blocks.zeroPoints === undefined ? [] : [blocks.zeroPoints]),
    ];
    const names = nextstepParts(name, [rows, 1], format).map((part) => part.name);
    for (const [i, piece] of pieces.entries()) {
      // Rows begin whole bytes in each of the three.
      const bytes = bytesOf(piece);
      const begin = this.#begins.get(names[i] as string) as number;
      await this.#file.writeAt(bytes, begin + (bytes.byteLength / rows) * row);
    }
  }

  async #next(bytes: number): Promise<Uint8Array<ArrayBuffer>> {
    refuseAborted(this.#task.signal);
    this.#refuseFailed();
    const data = await this.#source.read(this.#source.position, bytes);
    this.#task.onRead(this.#source.position);
    return data;
  }

  #refuseFailed(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }
}
