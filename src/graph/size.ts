/**
 * @file Symbolic sizes. A dimension is a number or a polynomial with integer coefficients over named
 * sizes, written in canonical form: `"rows"`, `"2*height"`, `"past+tokens"`, `"heads*rows*tokens"`.
 * Equal sizes are equal strings, so shapes compare with `===`.
 */

/** A number of elements along an axis, known (`64`) or symbolic (`"rows"`, `"8*height"`). */
export type Dim = number | string;
export type Shape = readonly Dim[];

/** Monomial key (`"height*width"`, `""` for the constant term) to integer coefficient, zero terms absent. */
type Polynomial = ReadonlyMap<string, number>;

function parse(dim: Dim): Polynomial {
  if (typeof dim === "number") return new Map(dim === 0 ? [] : [["", dim]]);
  const terms = new Map<string, number>();
  for (const signed of dim.replaceAll("-", "+-").split("+")) {
    if (signed === "") continue;
    let coefficient = 1;
    const symbols: string[] = [];
    for (const factor of (signed.startsWith("-") ? `-1*${signed.slice(1)}` : signed).split("*")) {
      if (/^-?\d+$/.test(factor)) coefficient *= Number(factor);
      else symbols.push(factor);
    }
    addTerm(terms, symbols.sort().join("*"), coefficient);
  }
  return terms;
}

function addTerm(terms: Map<string, number>, key: string, coefficient: number): void {
  const sum = (terms.get(key) ?? 0) + coefficient;
  if (sum === 0) terms.delete(key);
  else terms.set(key, sum);
}

function format(terms: Polynomial): Dim {
  const keys = [...terms.keys()].sort((a, b) => (a === "" ? 1 : b === "" ? -1 : a < b ? -1 : 1));
  if (keys.length === 0) return 0;
  if (keys.length === 1 && keys[0] === "") return terms.get("") ?? 0;
  let text = "";
  for (const key of keys) {
    const coefficient = terms.get(key) ?? 0;
    const magnitude = Math.abs(coefficient);
    const factor = key === "" ? `${magnitude}` : magnitude === 1 ? key : `${magnitude}*${key}`;
    text += coefficient < 0 ? `-${factor}` : text === "" ? factor : `+${factor}`;
  }
  return text;
}

/** Sum of sizes. */
export function addSizes(...sizes: readonly Dim[]): Dim {
  if (sizes.every((size) => typeof size === "number")) return sizes.reduce((a, b) => a + b, 0);
  const terms = new Map<string, number>();
  for (const size of sizes) for (const [key, value] of parse(size)) addTerm(terms, key, value);
  return format(terms);
}

/** `left - right`. */
export function subtractSizes(left: Dim, right: Dim): Dim {
  return addSizes(left, multiplySizes(right, -1));
}

/** Product of sizes; the empty product is 1. */
export function multiplySizes(...sizes: readonly Dim[]): Dim {
  if (sizes.every((size) => typeof size === "number")) return sizes.reduce((a, b) => a * b, 1);
  let product: Polynomial = new Map([["", 1]]);
  for (const size of sizes) {
    const next = new Map<string, number>();
    for (const [keyA, a] of product) {
      for (const [keyB, b] of parse(size)) {
        const symbols = [...(keyA === "" ? [] : keyA.split("*")), ...(keyB === "" ? [] : keyB.split("*"))];
        addTerm(next, symbols.sort().join("*"), a * b);
      }
    }
    product = next;
  }
  return format(product);
}

/**
 * `size / divisor` rounded down, for a whole number `divisor`. Symbolic terms must divide exactly; a constant
 * term is rounded down, which is right because the symbolic part is then a whole multiple of the divisor.
 * Returns undefined when a symbolic term does not divide.
 */
export function divideSize(size: Dim, divisor: number): Dim | undefined {
  if (typeof size === "number") return Math.floor(size / divisor);
  const terms = new Map<string, number>();
  for (const [key, coefficient] of parse(size)) {
    if (key !== "" && coefficient % divisor !== 0) return undefined;
    addTerm(terms, key, Math.floor(coefficient / divisor));
  }
  return format(terms);
}

/** Number of elements of a shape, as a size. */
export function sizeOf(shape: Shape): Dim {
  return multiplySizes(...shape);
}

/** Names of the symbols that a size is made of. */
export function symbolsOf(dim: Dim): string[] {
  if (typeof dim === "number") return [];
  const names = new Set<string>();
  for (const key of parse(dim).keys()) if (key !== "") for (const name of key.split("*")) names.add(name);
  return [...names];
}

/** The terms of a size: coefficient and the symbols multiplied with it. The writer lowers these to operators. */
export function termsOf(dim: Dim): { coefficient: number; symbols: string[] }[] {
  return [...parse(dim)].map(([key, coefficient]) => ({
    coefficient,
    symbols: key === "" ? [] : key.split("*"),
  }));
}

/** The symbol of a size that is one symbol or a whole multiple of it: `"8*height"` gives height, 8. */
export function loneSymbol(dim: Dim): { symbol: string; multiple: number } | undefined {
  const [term, ...others] = termsOf(dim);
  if (term === undefined || others.length > 0 || term.symbols.length !== 1 || term.coefficient < 1)
    return undefined;
  return { symbol: term.symbols[0] as string, multiple: term.coefficient };
}

/** Value of a size when its symbols have the given values. Throws RangeError for a symbol without a value. */
export function evaluateSize(dim: Dim, values: ReadonlyMap<string, number>): number {
  if (typeof dim === "number") return dim;
  let sum = 0;
  for (const { coefficient, symbols } of termsOf(dim)) {
    let product = coefficient;
    for (const symbol of symbols) {
      const value = values.get(symbol);
      if (value === undefined) throw new RangeError(`no value for size "${symbol}"`);
      product *= value;
    }
    sum += product;
  }
  return sum;
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((dim, axis) => dim === b[axis]);
}

/** `[rows, 64]`, the way shapes stand in error messages. */
export function formatShape(shape: Shape): string {
  return `[${shape.join(", ")}]`;
}

/** Shape of an elementwise result under numpy's rules, or undefined when the shapes do not fit. */
export function broadcastShapes(a: Shape, b: Shape): Dim[] | undefined {
  const rank = Math.max(a.length, b.length);
  const result: Dim[] = [];
  for (let axis = 0; axis < rank; axis++) {
    const left = a[axis - rank + a.length] ?? 1;
    const right = b[axis - rank + b.length] ?? 1;
    if (left === right || right === 1) result.push(left);
    else if (left === 1) result.push(right);
    else return undefined;
  }
  return result;
}
