/**
 * @file Weights that lie in no file as the graph wants them, put into one for a moment: the engine maps all weights of a
 * session or none, so that a single repacked one would put all of them into buffers, which takes three times their size.
 */
import { tmpdir } from "node:os";
import { dirname, parse, resolve } from "node:path";
import { ScratchFile } from "../../files/scratch-file.ts";
import type { Port } from "../../graph/onnx-messages.ts";
import { boundParameters } from "../../graph/onnx-weights.ts";
import type { OnnxModel } from "../../graph/onnx-writer.ts";
import { bytesPerElement } from "../../tensor/dtype.ts";
import { elementCount } from "../../tensor/shape.ts";
import { type EngineOptions, type ScratchSpace, SPILL_FROM_BYTES, type StoredWeight } from "../engine.ts";
import { bytesFor, isMappable, isRange } from "./weight-conversion.ts";
import { WeightFiles } from "./weight-files.ts";

const REMEDY =
  "free some space, name a folder on a disk with room in TMPDIR, or use `nextstep convert` once: what it writes needs no such file";

/** The weights of one session on their way to the engine. Dispose when it has mapped them, and when they have come to nothing. */
export class WeightSpill implements AsyncDisposable {
  readonly #report: ((space: ScratchSpace) => void) | undefined;
  readonly #files = new WeightFiles();
  /** Folders in which weights lie. */
  readonly #folders = new Set<string>();
  readonly #isLarge: boolean;
  /** Bytes of weights that are not mapped, or have not come yet. */
  #unmapped: number;
  #scratch: ScratchFile | undefined;

  constructor(
    model: Pick<OnnxModel, "inputs" | "parameters">,
    { spillFrom = SPILL_FROM_BYTES }: Pick<EngineOptions, "spillFrom">,
    report?: (space: ScratchSpace) => void,
  ) {
    this.#unmapped = boundParameters(model).reduce((sum, port) => sum + bytesOf(port), 0);
    this.#isLarge = this.#unmapped >= spillFrom;
    this.#report = report;
  }

  /**
   * Where the engine takes the weight from: what it cannot map goes to the file.
   * @throws InputError when no disk has room; as {@link bytesFor} does.
   */
  async place(port: Port, weight: StoredWeight): Promise<StoredWeight> {
    if (!this.#isLarge) return weight;
    if (isRange(weight)) {
      this.#folders.add(dirname(resolve(weight.file)));
      if (isMappable(port, weight)) {
        this.#unmapped -= bytesOf(port);
        return weight;
      }
    }
    const data = await bytesFor(port, weight, this.#files);
    const scratch = await this.#open();
    const offset = await scratch.append(data);
    return { dtype: port.dtype, file: scratch.path, offset, length: data.byteLength };
  }

  /** To be called when all weights are placed, and before they are mapped. */
  async finish(): Promise<void> {
    await this.#files[Symbol.asyncDispose]();
    await this.#scratch?.close();
  }

  /** Whether there is a file to be removed yet. */
  get remains(): boolean {
    return this.#scratch?.remains === true;
  }

  /** Idempotent, and to be called once more where a file that is mapped cannot be removed. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#files[Symbol.asyncDispose]();
    await this.#scratch?.[Symbol.asyncDispose]();
  }

  async #open(): Promise<ScratchFile> {
    if (this.#scratch !== undefined) return this.#scratch;
    const bytes = this.#unmapped;
    this.#scratch = await ScratchFile.create({ bytes, folders: this.#candidates(), remedy: REMEDY });
    this.#report?.({ folder: this.#scratch.folder, bytes });
    return this.#scratch;
  }

  /** What TMPDIR and its like name comes first; /var/tmp is for large files (FHS 3.0, 5.15) and on a disk nearly everywhere. */
  #candidates(): string[] {
    const folders = [tmpdir(), ...(process.platform === "win32" ? [] : ["/var/tmp"]), ...this.#folders];
    const [first] = this.#folders;
    // One session maps files of one root.
    const isReached = (folder: string): boolean => first === undefined || rootOf(folder) === rootOf(first);
    return folders.filter(isReached);
  }
}

function rootOf(folder: string): string {
  return parse(resolve(folder)).root;
}

function bytesOf({ dtype, shape }: Port): number {
  return elementCount(shape as readonly number[]) * bytesPerElement(dtype);
}
