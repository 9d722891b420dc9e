import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ConfigError } from "../errors.ts";
import { cacheFolder, readHubSettings } from "./hub-settings.ts";

let home: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "hub-home-"));
});
afterEach(() => rm(home, { recursive: true }));

const read = (more: Record<string, string> = {}) => readHubSettings({ HF_HOME: home, ...more });

describe("cacheFolder", () => {
  it.each([
    [{ HOME: "/h" }, "/h/.cache/huggingface/hub"],
    [{ HOME: "/h", XDG_CACHE_HOME: "/x" }, "/x/huggingface/hub"],
    [{ HOME: "/h", XDG_CACHE_HOME: "/x", HF_HOME: "~/hf" }, "/h/hf/hub"],
    [{ HOME: "/h", HF_HOME: "/hf", HUGGINGFACE_HUB_CACHE: "/old" }, "/old"],
    [{ HOME: "/h", HUGGINGFACE_HUB_CACHE: "/old", HF_HUB_CACHE: "$HOME/new/" }, "/h/new"],
    [{ HF_HUB_CACHE: "here" }, resolve("here")],
  ])("is of %j %s", (environment, folder) => {
    expect(cacheFolder(environment)).toBe(folder);
  });
});

describe("readHubSettings", () => {
  it("has the hub's defaults", () => {
    expect(read()).toEqual({
      cacheFolder: join(home, "hub"),
      endpoint: "https://huggingface.co",
      token: undefined,
      offline: false,
      timeoutMs: 10_000,
      symlinks: true,
      proxy: { http: "", https: "", none: "" },
    });
  });

  it("takes the token from its variable, then from its file", async () => {
    await writeFile(join(home, "token"), "hf_home\n");
    expect(read().token).toBe("hf_home");
    await writeFile(join(home, "other"), " hf_other ");
    expect(read({ HF_TOKEN_PATH: join(home, "other") }).token).toBe("hf_other");
    expect(read({ HF_TOKEN: "hf_variable" }).token).toBe("hf_variable");
    expect(read({ HF_TOKEN: "hf_variable", HF_HUB_DISABLE_IMPLICIT_TOKEN: "1" }).token).toBeUndefined();
  });

  it("refuses what is no token without showing it", () => {
    const read2 = () => read({ HF_TOKEN: "hf_secret\r\nx-evil: 1" });
    expect(read2).toThrow(ConfigError);
    expect(read2).toThrow(/^HF_TOKEN: does not hold an access token/);
    expect(read2).not.toThrow(/hf_secret/);
  });

  it("reads the rest", () => {
    const { endpoint, offline, timeoutMs, symlinks, proxy } = read({
      HF_ENDPOINT: "http://mirror.example:8080/hub//",
      HF_HUB_OFFLINE: "Yes",
      HF_HUB_DOWNLOAD_TIMEOUT: "2.5",
      HF_HUB_DISABLE_SYMLINKS: "true",
      HTTPS_PROXY: "proxy.example:3128",
      http_proxy: "http://lower.example",
      HTTP_PROXY: "http://upper.example",
      NO_PROXY: "localhost,.example",
    });
    expect([endpoint, offline, timeoutMs, symlinks]).toEqual([
      "http://mirror.example:8080/hub",
      true,
      2500,
      false,
    ]);
    expect(proxy).toEqual({
      http: "http://lower.example",
      https: "http://proxy.example:3128",
      none: "localhost,.example",
    });
  });

  it.each([
    ["HF_ENDPOINT", "huggingface.co"],
    ["HF_ENDPOINT", "ftp://x"],
    ["HF_ENDPOINT", "https://me:secret@x"],
    ["HF_HUB_DOWNLOAD_TIMEOUT", "soon"],
    ["HF_HUB_DOWNLOAD_TIMEOUT", "0"],
    ["HTTPS_PROXY", "socks5://me:secret@x"],
  ])("refuses %s=%s by its name", (name, value) => {
    expect(() => read({ [name]: value })).toThrow(ConfigError);
    expect(() => read({ [name]: value })).toThrow(name);
    expect(() => read({ [name]: value })).not.toThrow(/secret/);
  });
});
