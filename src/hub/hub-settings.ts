/** @file What the environment says about the hub, by the variables that its other clients read. */
import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { ConfigError } from "../errors.ts";
import { quoted } from "../formats/quoted.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

export interface HubSettings {
  /** Absolute; it need not exist. */
  readonly cacheFolder: string;
  /** Without a slash at its end. */
  readonly endpoint: string;
  readonly token: string | undefined;
  readonly offline: boolean;
  /** Longest silence of a server, in milliseconds. */
  readonly timeoutMs: number;
  /** Whether the cache may hold symbolic links. */
  readonly symlinks: boolean;
  readonly proxy: ProxySettings;
}

/** Addresses of proxies, "" for none, and hosts that are reached without them. */
export interface ProxySettings {
  readonly http: string;
  readonly https: string;
  readonly none: string;
}

const DEFAULT_ENDPOINT = "https://huggingface.co";
/** As in the hub's other clients. */
const DEFAULT_TIMEOUT_SECONDS = 10;
const MAX_TIMEOUT_SECONDS = 3600;
const MAX_TOKEN_BYTES = 4096;

/**
 * Reads HF_HUB_CACHE, HF_HOME and XDG_CACHE_HOME; HF_ENDPOINT; HF_TOKEN, HF_TOKEN_PATH and the token file;
 * HF_HUB_OFFLINE; HF_HUB_DOWNLOAD_TIMEOUT; HF_HUB_DISABLE_SYMLINKS; HTTP_PROXY, HTTPS_PROXY and NO_PROXY.
 * @throws ConfigError naming the variable that does not fit.
 */
export function readHubSettings(environment: Environment): HubSettings {
  const home = hubHome(environment);
  return {
    cacheFolder: cacheFolder(environment),
    endpoint: endpointOf(environment),
    token: tokenOf(environment, home),
    offline: isSet(environment.HF_HUB_OFFLINE) || isSet(environment.TRANSFORMERS_OFFLINE),
    timeoutMs: timeoutOf(environment),
    symlinks: !isSet(environment.HF_HUB_DISABLE_SYMLINKS),
    proxy: proxyOf(environment),
  };
}

/** The cache by itself, for those who only read it. */
export function cacheFolder(environment: Environment): string {
  const named = environment.HF_HUB_CACHE || environment.HUGGINGFACE_HUB_CACHE;
  return named ? place(named, environment) : join(hubHome(environment), "hub");
}

function hubHome(environment: Environment): string {
  if (environment.HF_HOME) return place(environment.HF_HOME, environment);
  const cache = environment.XDG_CACHE_HOME || join(homeOf(environment), ".cache");
  return join(place(cache, environment), "huggingface");
}

function homeOf(environment: Environment): string {
  return (process.platform === "win32" ? environment.USERPROFILE : environment.HOME) || homedir();
}

/** An absolute path; `~` and `$NAME` stand for what shells make of them. */
function place(path: string, environment: Environment): string {
  const expanded = path
    .replace(/^~(?=$|[/\\])/, () => homeOf(environment))
    .replace(/\$(?:(\w+)|\{(\w+)\})/g, (whole, bare, braced) => environment[bare ?? braced] ?? whole);
  return resolve(expanded);
}

function isSet(value: string | undefined): boolean {
  return /^(?:1|on|yes|true)$/i.test(value ?? "");
}

function endpointOf({ HF_ENDPOINT: given }: Environment): string {
  if (!given) return DEFAULT_ENDPOINT;
  const url = URL.canParse(given) ? new URL(given) : undefined;
  const isWeb = url?.protocol === "https:" || url?.protocol === "http:";
  if (url === undefined || !isWeb || url.username !== "" || url.search !== "" || url.hash !== "") {
    throw new ConfigError("is not the address of a hub", {
      where: "HF_ENDPOINT",
      remedy: `give something like ${DEFAULT_ENDPOINT}, without a user name`,
    });
  }
  return url.href.replace(/\/+$/, "");
}

/** The first of variable and file that holds anything. */
function tokenOf(environment: Environment, home: string): string | undefined {
  if (isSet(environment.HF_HUB_DISABLE_IMPLICIT_TOKEN)) return undefined;
  for (const name of ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"]) {
    const token = environment[name]?.trim();
    if (token) return checkToken(token, name);
  }
  const { HF_TOKEN_PATH: named } = environment;
  const path = named ? place(named, environment) : join(home, "token");
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch {
    // Most people have none; a repository that needs one says so.
    return undefined;
  }
  const token = text.trim();
  return token === "" ? undefined : checkToken(token, path);
}

/** Never quotes the token. */
function checkToken(token: string, where: string): string {
  if (token.length <= MAX_TOKEN_BYTES && /^[\x21-\x7e]+$/.test(token)) return token;
  throw new ConfigError("does not hold an access token", {
    where,
    remedy: "put the token there as the hub shows it, and nothing else",
  });
}

function timeoutOf({ HF_HUB_DOWNLOAD_TIMEOUT: given }: Environment): number {
  const seconds = given ? Number(given) : DEFAULT_TIMEOUT_SECONDS;
  if (seconds > 0 && seconds <= MAX_TIMEOUT_SECONDS) return seconds * 1000;
  throw new ConfigError(`${quoted(given ?? "")} is not a number of seconds`, {
    where: "HF_HUB_DOWNLOAD_TIMEOUT",
    remedy: `give more than 0 and at most ${MAX_TIMEOUT_SECONDS}`,
  });
}

function proxyOf(environment: Environment): ProxySettings {
  const read = (name: string): string => {
    const lower = environment[name.toLowerCase()];
    const value = lower || environment[name] || "";
    if (value === "" || name === "NO_PROXY") return value;
    // Written without a scheme by many; the value may hold a password and is not quoted.
    const address = /^[a-z][a-z0-9+.-]*:\/\//i.test(value) ? value : `http://${value}`;
    if (URL.canParse(address) && /^https?:/i.test(address)) return address;
    throw new ConfigError("is not the address of an HTTP proxy", {
      where: lower ? name.toLowerCase() : name,
      remedy: "give something like http://proxy.example:3128",
    });
  };
  const http = read("HTTP_PROXY");
  return { http, https: read("HTTPS_PROXY"), none: read("NO_PROXY") };
}
