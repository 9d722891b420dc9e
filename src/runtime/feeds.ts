/** @file Checks what is given to a run against the graph's inputs, binding symbolic sizes as they are met. */
import { InputError } from "../errors.ts";
import type { Port } from "../graph/onnx-writer.ts";
import { type Dim, evaluateSize, loneSymbol, symbolsOf } from "../graph/size.ts";
import type { ValueType } from "../graph/value.ts";

interface Given {
  readonly dtype: ValueType;
  readonly shape: readonly number[];
  readonly length: number;
}

/** A size of an input, as it is checked. */
interface Axis {
  readonly dim: Dim;
  readonly symbols: readonly string[];
  /** The symbol that it tells, where it is one or a multiple of one. */
  readonly alone: ReturnType<typeof loneSymbol>;
}

/** Of one graph's inputs. Sizes are taken apart once: a run of a small model takes less time than that. */
export class FeedCheck {
  readonly #inputs: readonly { readonly port: Port; readonly axes: readonly Axis[] }[];
  readonly #known: ReadonlySet<string>;

  constructor(inputs: readonly Port[]) {
    this.#inputs = inputs.map((port) => ({
      port,
      axes: port.shape.map((dim) => ({ dim, symbols: symbolsOf(dim), alone: loneSymbol(dim) })),
    }));
    this.#known = new Set(inputs.map(({ name }) => name));
  }

  /**
   * @throws InputError naming the first input that is missing, unknown, of another dtype or shape, or whose data does
   * not fill its shape.
   */
  check(feeds: ReadonlyMap<string, Given>): void {
    for (const name of feeds.keys()) {
      if (!this.#known.has(name)) {
        throw new InputError("is not an input of this graph", { where: `feed "${name}"` });
      }
    }
    const sizes = new Map<string, number>();
    for (const { port, axes } of this.#inputs) {
      const given = feeds.get(port.name);
      if (given === undefined) throw new InputError("is missing", { where: `feed "${port.name}"` });
      if (given.dtype !== port.dtype || given.shape.length !== axes.length) throw mismatch(port, given);
      axes.forEach((axis, index) => {
        if (!fits(axis, given.shape[index] as number, sizes)) throw mismatch(port, given, sizes);
      });
      const elements = given.shape.reduce((a, b) => a * b, 1);
      if (elements === given.length) continue;
      throw new InputError(`${given.length} elements do not fill [${given.shape.join(", ")}]`, {
        where: `feed "${port.name}"`,
      });
    }
  }
}

/** Notes the symbol that a size tells first. A size with symbols that are not known yet fits. */
function fits({ dim, symbols, alone }: Axis, size: number, sizes: Map<string, number>): boolean {
  if (typeof dim === "number") return dim === size;
  if (alone !== undefined) {
    const value = sizes.get(alone.symbol) ?? Math.floor(size / alone.multiple);
    sizes.set(alone.symbol, value);
    return value * alone.multiple === size;
  }
  return symbols.some((symbol) => !sizes.has(symbol)) || evaluateSize(dim, sizes) === size;
}

function mismatch(port: Port, given: Given, sizes: ReadonlyMap<string, number> = new Map()): InputError {
  const bound = [...sizes].map(([symbol, value]) => `${symbol}=${value}`).join(", ");
  return new InputError(
    `expects ${port.dtype}[${port.shape.join(", ")}], got ${given.dtype}[${given.shape.join(", ")}]${bound === "" ? "" : ` with ${bound}`}`,
    { where: `feed "${port.name}"` },
  );
}
