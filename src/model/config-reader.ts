/** @file Reads typed fields out of an untrusted config.json and remembers which keys were asked for. */
import { ConfigError } from "../errors.ts";
import { printable } from "../formats/quoted.ts";

/** Largest size accepted: far above any published model, far below what would overflow an element count. */
const MAX_SIZE = 2 ** 31;

/** Most repetitions of a layer or block: graphs are built one by one, and a hostile count would never end. */
export const MAX_LAYERS = 1024;

/** Most channels of a picture, a latent or the image head: graphs hold constants of that many values. */
export const MAX_CHANNELS = 1 << 16;

/** Getters name the field in their errors; each takes all names that the field goes by, the first found counts. */
export class ConfigReader {
  readonly #fields: ReadonlyMap<string, unknown>;
  readonly #where: string;
  readonly #known = new Set<string>();

  /** @throws ConfigError when `json` is no object. */
  constructor(json: unknown, where: string) {
    if (typeof json !== "object" || json === null || Array.isArray(json)) {
      throw new ConfigError("is not a JSON object", { where, remedy: "is this the model's config.json?" });
    }
    this.#fields = new Map(Object.entries(json));
    this.#where = where;
  }

  /** Counts keys as known whose values do not matter. */
  ignore(...keys: readonly string[]): void {
    for (const key of keys) this.#known.add(key);
  }

  /** The first of several names for one field that is present and not null. */
  #find(keys: readonly string[]): { key: string; value: unknown } | undefined {
    this.ignore(...keys);
    for (const key of keys) {
      const value = this.#fields.get(key);
      if (value !== undefined && value !== null) return { key, value };
    }
    return undefined;
  }

  #fail(key: string, value: unknown, expected: string): never {
    const shown = printable(JSON.stringify(value)?.slice(0, 40) ?? String(value));
    throw new ConfigError(`expects ${expected}, got ${shown}`, { where: `${this.#where}: ${key}` });
  }

  /** Whether the file has the key at all, be it null. */
  has(key: string): boolean {
    return this.#fields.has(key);
  }

  /** True if the file says null, which some keys tell apart from saying nothing. */
  isNull(key: string): boolean {
    return this.#fields.get(key) === null;
  }

  /** A whole number from 1 up to `most`. */
  size(keys: readonly string[], fallback?: number, most = MAX_SIZE): number {
    const found = this.#find(keys);
    if (found === undefined) {
      if (fallback === undefined)
        throw new ConfigError("is missing", { where: `${this.#where}: ${keys[0]}` });
      return fallback;
    }
    const { key, value } = found;
    if (typeof value !== "number" || !Number.isInteger(value) || value < 1 || value > most) {
      this.#fail(
        key,
        value,
        most === MAX_SIZE ? "a whole number from 1" : `a whole number from 1 to ${most}`,
      );
    }
    return value;
  }

  /** A list of whole numbers from 1. */
  sizes(key: string, fallback: readonly number[]): readonly number[] {
    const found = this.#find([key]);
    if (found === undefined) return fallback;
    const { value } = found;
    const valid =
      Array.isArray(value) &&
      value.length > 0 &&
      value.length <= 16 &&
      value.every((size) => Number.isInteger(size) && size >= 1 && size <= 1024);
    if (!valid) this.#fail(key, value, "a list of whole numbers from 1 to 1024");
    return value as readonly number[];
  }

  /** A finite number. */
  number(keys: readonly string[], fallback: number): number {
    const found = this.#find(keys);
    if (found === undefined) return fallback;
    const { key, value } = found;
    if (typeof value !== "number" || !Number.isFinite(value)) this.#fail(key, value, "a number");
    return value;
  }

  /** True or false. */
  flag(keys: readonly string[], fallback: boolean): boolean {
    const found = this.#find(keys);
    if (found === undefined) return fallback;
    const { key, value } = found;
    if (typeof value !== "boolean") this.#fail(key, value, "true or false");
    return value;
  }

  /** A token id, from 0. */
  id(key: string, fallback?: number): number | undefined {
    const found = this.#find([key]);
    if (found === undefined) return fallback;
    const { value } = found;
    if (typeof value !== "number" || !Number.isInteger(value) || value < 0 || value > MAX_SIZE) {
      this.#fail(key, value, "a token id");
    }
    return value;
  }

  /** A string, empty or not. */
  text(key: string): string | undefined {
    const found = this.#find([key]);
    if (found === undefined) return undefined;
    const { value } = found;
    if (typeof value !== "string") this.#fail(key, value, "a string");
    return value;
  }

  /** An object whose fields nobody has checked yet. */
  record(key: string): Readonly<Record<string, unknown>> | undefined {
    const found = this.#find([key]);
    if (found === undefined) return undefined;
    const { value } = found;
    if (typeof value !== "object" || Array.isArray(value)) this.#fail(key, value, "an object");
    return value as Readonly<Record<string, unknown>>;
  }

  /** A list whose items nobody has checked yet. */
  list(key: string): readonly unknown[] | undefined {
    const found = this.#find([key]);
    if (found === undefined) return undefined;
    const { value } = found;
    if (!Array.isArray(value)) this.#fail(key, value, "a list");
    return value;
  }

  /** Keys of the file that were never asked for, sorted. */
  unknownKeys(): string[] {
    return [...this.#fields.keys()].filter((key) => !this.#known.has(key)).sort();
  }
}
