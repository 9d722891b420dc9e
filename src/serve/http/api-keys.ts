/** @file Keys that requests must come with. They are kept as digests and compared in constant time; their names stand in logs. */
import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { ConfigError } from "../../errors.ts";
import { ApiError } from "./api-error.ts";

interface ApiKey {
  readonly name: string;
  /** SHA-256 of the key. */
  readonly digest: Buffer;
}

/** Shorter ones can be guessed. */
const MIN_CHARACTERS = 16;
const MAX_KEYS = 10_000;
const NAME = /^[A-Za-z0-9_.@-]{1,64}$/;

/** An address that was signed is good for at least this long, and at most twice as long. */
const SIGNED_SECONDS = 24 * 3600;

export class ApiKeys {
  readonly #keys: readonly ApiKey[];

  private constructor(keys: readonly ApiKey[]) {
    this.#keys = keys;
  }

  static readonly none = new ApiKeys([]);

  /**
   * @param text entries one a line or between commas, each `NAME:KEY`, `KEY`, or `NAME:sha256:DIGEST` so that the file need
   * not hold the key itself; lines that begin with `#` are passed over.
   * @param where names the text in errors, which never hold a key
   * @throws ConfigError for an entry that is none, and for a text without entries.
   */
  static parse(text: string, where: string): ApiKeys {
    const entries = text
      .split("\n")
      .filter((line) => !line.trimStart().startsWith("#"))
      .flatMap((line) => line.split(","))
      .map((entry) => entry.trim())
      .filter((entry) => entry !== "");
    if (entries.length === 0) {
      throw new ConfigError("holds no keys", { where, remedy: "give one NAME:KEY a line" });
    }
    if (entries.length > MAX_KEYS) throw new ConfigError(`holds more than ${MAX_KEYS} keys`, { where });
    const keys = entries.map((entry, index) => parseKey(entry, `${where}: entry ${index + 1}`));
    const names = new Set(keys.map(({ name }) => name));
    if (names.size < keys.length) {
      throw new ConfigError("two keys have one name", { where, remedy: "give each key a name of its own" });
    }
    return new ApiKeys(keys);
  }

  /** Whether requests must come with a key. */
  get needed(): boolean {
    return this.#keys.length > 0;
  }

  /**
   * Name of the key that an `Authorization` header has; null where no keys are needed.
   * `Basic` is taken for clients of the A1111 family, whose password is the key.
   * @throws ApiError of status 401.
   */
  ownerOf(authorization: string | undefined): string | null {
    if (!this.needed) return null;
    const given = givenKey(authorization);
    if (given === undefined) {
      throw unauthorized(
        "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY).",
        null,
      );
    }
    const digest = createHash("sha256").update(given).digest();
    // All are compared, so that the time does not tell which one is near.
    const found = this.#keys.filter((key) => timingSafeEqual(key.digest, digest))[0];
    if (found === undefined) throw unauthorized("Incorrect API key provided.", "invalid_api_key");
    return found.name;
  }

  /**
   * The path, good for a day or two without a key: pictures are opened by what cannot send one. Signed with the owner's key,
   * so that every server that knows the key takes it and none does once the key is gone.
   * @param now Unix seconds
   */
  sign(path: string, owner: string | null, now = Date.now() / 1000): string {
    const key = this.#keys.find(({ name }) => name === owner);
    if (key === undefined) return path;
    // The same for all of a day: a browser then finds in its cache what it has.
    const expires = (Math.floor(now / SIGNED_SECONDS) + 2) * SIGNED_SECONDS;
    return `${path}?expires=${expires}&signature=${signature(key, path, expires)}`;
  }

  /** Name of the key that signed the path; undefined if none did, or too long ago. */
  signer(path: string, expires: number, given: string, now = Date.now() / 1000): string | undefined {
    if (!Number.isSafeInteger(expires) || expires < now || !/^[0-9a-f]{64}$/.test(given)) return undefined;
    const bytes = Buffer.from(given, "hex");
    return this.#keys.filter((key) =>
      timingSafeEqual(Buffer.from(signature(key, path, expires), "hex"), bytes),
    )[0]?.name;
  }
}

function signature({ digest }: ApiKey, path: string, expires: number): string {
  return createHmac("sha256", digest).update(`${expires} ${path}`).digest("hex");
}

function parseKey(entry: string, where: string): ApiKey {
  const hashed = /^([^:\s]+):sha256:([0-9a-f]{64})$/i.exec(entry);
  const [, name = "", rest = ""] = hashed ?? /^([^:\s]+):(\S+)$/.exec(entry) ?? ["", "", entry];
  if (hashed === null && (rest.length < MIN_CHARACTERS || /\s/.test(rest))) {
    throw new ConfigError("is not a key", {
      where,
      remedy: `a key has ${MIN_CHARACTERS} characters or more and no spaces`,
    });
  }
  const digest = hashed === null ? createHash("sha256").update(rest).digest() : Buffer.from(rest, "hex");
  const known = name === "" ? `key-${digest.toString("hex").slice(0, 8)}` : name;
  if (NAME.test(known)) return { name: known, digest };
  throw new ConfigError("has a name that does not fit", {
    where,
    remedy: "use up to 64 letters, digits and . _ @ -",
  });
}

function givenKey(authorization: string | undefined): string | undefined {
  const [, scheme = "", credentials = ""] = /^(\S+)\s+(\S+)\s*$/.exec(authorization ?? "") ?? [];
  if (/^bearer$/i.test(scheme)) return credentials;
  if (!/^basic$/i.test(scheme)) return undefined;
  const text = Buffer.from(credentials, "base64").toString();
  return text.slice(text.indexOf(":") + 1);
}

function unauthorized(message: string, code: string | null): ApiError {
  return new ApiError(401, message, { code, headers: { "www-authenticate": "Bearer" } });
}
