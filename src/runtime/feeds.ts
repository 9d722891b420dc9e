/** @file Checks what is given to a run against the graph's inputs, binding symbolic sizes as they are met. */
import { InputError } from "../errors.ts";
import type { Port } from "../graph/onnx-writer.ts";
import { evaluateSize, loneSymbol, symbolsOf } from "../graph/size.ts";
import type { ValueType } from "../graph/value.ts";

interface Given {
  readonly dtype: ValueType;
  readonly shape: readonly number[];
  readonly length: number;
}

/**
 * @throws InputError naming the first input that is missing, unknown, of another dtype or shape, or whose data does
 * not fill its shape.
 */
export function checkFeeds(inputs: readonly Port[], feeds: ReadonlyMap<string, Given>): void {
  const known = new Set(inputs.map(({ name }) => name));
  for (const name of feeds.keys()) {
    if (!known.has(name)) throw new InputError("is not an input of this graph", { where: `feed "${name}"` });
  }
  const symbols = new Map<string, number>();
  for (const port of inputs) {
    const given = feeds.get(port.name);
    const where = `feed "${port.name}"`;
    if (given === undefined) throw new InputError("is missing", { where });
    const mismatch = `expects ${port.dtype}[${port.shape.join(", ")}], got ${given.dtype}[${given.shape.join(", ")}]`;
    if (given.dtype !== port.dtype || given.shape.length !== port.shape.length)
      throw new InputError(mismatch, { where });
    port.shape.forEach((dim, axis) => {
      const size = given.shape[axis] as number;
      const alone = loneSymbol(dim);
      if (alone !== undefined && !symbols.has(alone.symbol)) {
        symbols.set(alone.symbol, Math.floor(size / alone.multiple));
      }
      const open = symbolsOf(dim).some((symbol) => !symbols.has(symbol));
      if (!open && evaluateSize(dim, symbols) !== size) {
        const bound = [...symbols].map(([symbol, value]) => `${symbol}=${value}`).join(", ");
        throw new InputError(`${mismatch}${bound === "" ? "" : ` with ${bound}`}`, { where });
      }
    });
    const elements = given.shape.reduce((a, b) => a * b, 1);
    if (elements !== given.length) {
      throw new InputError(`${given.length} elements do not fill [${given.shape.join(", ")}]`, { where });
    }
  }
}
