/** @file Which addresses the server goes by, and which pages of other sites may talk to it. */
import type { IncomingMessage } from "node:http";
import { ConfigError } from "../../errors.ts";
import { ApiError } from "./api-error.ts";

export interface SiteOptions {
  /** What the server is bound to. */
  readonly host: string;
  /** Where clients reach it, when that is behind a proxy or another name. */
  readonly publicUrl?: string;
  /** Origins whose pages may use it from a browser; `*` for all. */
  readonly corsOrigins?: readonly string[];
}

const SAFE_METHODS: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS"]);

export class SiteRules {
  readonly #publicUrl: URL | undefined;
  readonly #origins: ReadonlySet<string>;
  /** Names that a `Host` header may have, without ports; undefined: any. */
  readonly #hosts: ReadonlySet<string> | undefined;

  /** @throws ConfigError for a URL or an origin that is none. */
  constructor({ host, publicUrl, corsOrigins = [] }: SiteOptions) {
    this.#publicUrl = publicUrl === undefined ? undefined : httpUrl(publicUrl, "--public-url");
    this.#origins = new Set(
      corsOrigins.map((origin) => (origin === "*" ? origin : httpUrl(origin, "--cors").origin)),
    );
    if (isLoopback(host)) {
      const named = this.#publicUrl === undefined ? [] : [this.#publicUrl.hostname];
      this.#hosts = new Set(["localhost", "127.0.0.1", "[::1]", bracketed(host), ...named]);
    }
  }

  /**
   * On a loopback address a browser may be led to the server under a foreign name (DNS rebinding); it then says so.
   * @throws ApiError of status 403.
   */
  checkHost(host: string | undefined): void {
    if (this.#hosts === undefined) return;
    const name = /^(\[[0-9a-f:.]+\]|[^:/?#\s]+)(?::\d+)?$/i.exec(host ?? "")?.[1]?.toLowerCase();
    if (name !== undefined && this.#hosts.has(name)) return;
    throw new ApiError(403, "The server does not go by the name in the Host header.", {
      code: "host_not_allowed",
    });
  }

  /**
   * A page of another site may make a browser send requests, though it cannot read the answers.
   * @throws ApiError of status 403 for such a request that would change something.
   */
  checkSite(method: string, headers: IncomingMessage["headers"]): void {
    if (SAFE_METHODS.has(method)) return;
    const { origin, host } = headers;
    const site = headers["sec-fetch-site"];
    if (origin !== undefined && this.allowsOrigin(origin)) return;
    const isOwn =
      origin === undefined
        ? site === undefined || site === "same-origin" || site === "none"
        : this.#isOwnOrigin(origin, host) && (site === undefined || site === "same-origin");
    if (isOwn) return;
    throw new ApiError(403, "Pages of other sites may not use this server.", {
      code: "cross_site_request",
    });
  }

  /** Whether pages of any other site may use the server. */
  get allowsSome(): boolean {
    return this.#origins.size > 0;
  }

  allowsOrigin(origin: string): boolean {
    return this.#origins.has("*") || this.#origins.has(origin);
  }

  /** Where the client reached the server, without a slash at the end. What a request says of it is believed only if checked. */
  baseUrl(incoming: IncomingMessage): string {
    if (this.#publicUrl !== undefined) return this.#publicUrl.href.replace(/\/$/, "");
    const { localAddress = "127.0.0.1", localPort } = incoming.socket;
    const reached = `${bracketed(localAddress.replace(/^::ffff:/, ""))}:${localPort}`;
    return `http://${this.#hosts === undefined ? reached : (incoming.headers.host ?? reached)}`;
  }

  #isOwnOrigin(origin: string, host: string | undefined): boolean {
    if (this.#publicUrl?.origin === origin) return true;
    return URL.canParse(origin) && host !== undefined && new URL(origin).host === host.toLowerCase();
  }
}

/** Addresses that only this machine reaches. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || host === "[::1]" || /^127(?:\.\d{1,3}){3}$/.test(host);
}

/** A host as URLs have it. */
export function bracketed(host: string): string {
  return host.includes(":") && !host.startsWith("[") ? `[${host}]` : host;
}

function httpUrl(text: string, where: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url !== undefined && /^https?:$/.test(url.protocol) && url.search === "" && url.hash === "") return url;
  throw new ConfigError(`"${text}" is not an address`, {
    where,
    remedy: "use one such as https://example.org",
  });
}
