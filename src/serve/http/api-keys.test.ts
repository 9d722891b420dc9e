/** @file Keys: what may stand in a file, who has which, and addresses that are signed with one. */
import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { ApiKeys } from "./api-keys.ts";

const ANN = "key-of-ann-0123456789";
const BOB = "key-of-bob-0123456789";
const digest = createHash("sha256").update(BOB).digest("hex");
const keys = ApiKeys.parse(`# people\nann:${ANN}\n\nbob:sha256:${digest}, nameless-key-0123456789`, "keys");

describe("keys", () => {
  it("are found by what a request says", () => {
    expect(keys.ownerOf(`Bearer ${ANN}`)).toBe("ann");
    expect(keys.ownerOf(`bearer ${BOB} `)).toBe("bob");
    expect(keys.ownerOf("Bearer nameless-key-0123456789")).toMatch(/^key-[0-9a-f]{8}$/);
    expect(keys.ownerOf(`Basic ${Buffer.from(`x:${ANN}`).toString("base64")}`)).toBe("ann");
    for (const wrong of [undefined, "", "Bearer", `Bearer ${digest}`, `Token ${ANN}`, `Bearer ${ANN} x`]) {
      expect(() => keys.ownerOf(wrong), wrong).toThrow(/API key/);
    }
    expect(ApiKeys.none.ownerOf(undefined)).toBeNull();
  });

  it("that are none are refused without being shown", () => {
    for (const text of [
      "",
      "# nothing",
      "ann:short",
      "a b c d e f g h i j k",
      `ann:${ANN}\nann:${BOB}`,
      `a/b:${ANN}`,
    ]) {
      expect(() => ApiKeys.parse(text, "keys"), text).toThrow(/^keys/);
    }
    expect(() => ApiKeys.parse("ann:secret", "keys")).not.toThrow(/secret/);
  });
});

describe("signed addresses", () => {
  const now = 1_800_000_000;
  const path = "/v1/images/x/content";
  const parts = (url: string): [number, string] => {
    const query = new URL(url, "http://localhost").searchParams;
    return [Number(query.get("expires")), query.get("signature") ?? ""];
  };

  it("are good for their path, for a day at least and two at most", () => {
    const [expires, signature] = parts(keys.sign(path, "ann", now));
    expect(keys.signer(path, expires, signature, now + 24 * 3600)).toBe("ann");
    expect(keys.signer(path, expires, signature, now + 2 * 24 * 3600)).toBeUndefined();
    expect(keys.signer("/v1/images/y/content", expires, signature, now)).toBeUndefined();
    expect(keys.signer(path, expires + 1, signature, now)).toBeUndefined();
    expect(keys.signer(path, expires, signature.replace(/^./, "g"), now)).toBeUndefined();
    expect(keys.sign(path, "ann", now + 60)).toBe(keys.sign(path, "ann", now));
  });

  it("are of one key, and go with it", () => {
    const [expires, signature] = parts(keys.sign(path, "bob", now));
    expect(keys.signer(path, expires, signature, now)).toBe("bob");
    expect(ApiKeys.parse(`ann:${ANN}`, "keys").signer(path, expires, signature, now)).toBeUndefined();
    expect(keys.sign(path, null, now)).toBe(path);
  });
});
