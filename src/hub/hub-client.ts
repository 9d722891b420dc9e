/** @file Requests to the hub: redirects, the access token, time limits, proxies. Nothing is asked of any other place. */
import { EnvHttpProxyAgent, request } from "undici";
import { abortError, DownloadError } from "../errors.ts";
import { answerFailure, connectionFailure, type RequestSubject, subjectText } from "./http-failure.ts";
import type { HubSettings } from "./hub-settings.ts";
import { type Clock, PassingFailure, type Retry, retrying } from "./retry.ts";

/** The hub needs one, its store sometimes another. */
const MAX_REDIRECTS = 5;
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
/** Metadata is asked for before anything else, where a person waits. */
const METADATA_TRIES = 3;

export interface Answer {
  readonly status: number;
  /** Lower-case name to value; of several the first. */
  readonly header: (name: string) => string | undefined;
  /** The bytes, each chunk or a typed error. */
  readonly body: AsyncIterable<Uint8Array>;
  /** Gives the connection up, or back if everything was read. */
  discard(): void;
}

export interface GetOptions {
  readonly subject: RequestSubject;
  readonly signal: AbortSignal | undefined;
  /** First byte and the one behind the last. */
  readonly range?: readonly [start: number, end: number];
  /** Sees the answer of the hub itself, before a redirect is followed. @throws to refuse it. */
  readonly onHubAnswer?: (header: Answer["header"]) => void;
}

/** Talks to one hub; close it in the end. */
export class HubClient implements AsyncDisposable {
  readonly settings: HubSettings;
  readonly clock: Clock;
  readonly #origin: string;
  readonly #agent: EnvHttpProxyAgent;

  constructor(settings: HubSettings, clock: Clock) {
    this.settings = settings;
    this.clock = clock;
    this.#origin = new URL(settings.endpoint).origin;
    const { timeoutMs, proxy } = settings;
    this.#agent = new EnvHttpProxyAgent({
      httpProxy: proxy.http,
      httpsProxy: proxy.https,
      noProxy: proxy.none,
      connect: { timeout: timeoutMs },
      headersTimeout: timeoutMs,
      bodyTimeout: timeoutMs,
    });
  }

  /**
   * One try.
   * @throws DownloadError; PassingFailure where another try may help; AbortedError.
   */
  async get(address: string, options: GetOptions): Promise<Answer> {
    let url = new URL(address);
    for (let redirects = 0; ; redirects++) {
      const { subject } = options;
      const answer = await this.#ask(url, options);
      const isHub = url.origin === this.#origin;
      if (isHub && answer.status < 400) this.#check(answer, options);
      if (!REDIRECTS.has(answer.status)) {
        if (answer.status >= 200 && answer.status < 300) return answer;
        answer.discard();
        throw answerFailure(answer, subject, this.settings, { isHub, now: this.clock.now() });
      }
      answer.discard();
      url = this.#redirected(url, answer.header("location"), subject);
      if (redirects === MAX_REDIRECTS) {
        throw new DownloadError("is redirected in circles", {
          where: subjectText(subject),
          remedy: "check HF_ENDPOINT",
        });
      }
    }
  }

  /** A JSON text of at most `maxBytes`, with retries, and the headers that it came with. */
  async getJson(
    address: string,
    maxBytes: number,
    options: GetOptions & { readonly onRetry: (retry: Retry) => void },
  ): Promise<{ readonly json: unknown; readonly header: Answer["header"] }> {
    const { subject, signal, onRetry } = options;
    const refuse = (reason: string, cause?: unknown): DownloadError =>
      new DownloadError(`the hub's description of it ${reason}`, {
        where: subjectText(subject),
        remedy: "check HF_ENDPOINT",
        cause,
      });
    return retrying({ tries: METADATA_TRIES, clock: this.clock, signal, onRetry }, async () => {
      const answer = await this.get(address, options);
      const chunks: Uint8Array[] = [];
      let bytes = 0;
      try {
        for await (const chunk of answer.body) {
          bytes += chunk.length;
          if (bytes > maxBytes) throw refuse(`has more than ${maxBytes} bytes`);
          chunks.push(chunk);
        }
      } finally {
        answer.discard();
      }
      try {
        return { json: JSON.parse(Buffer.concat(chunks).toString("utf8")), header: answer.header };
      } catch (cause) {
        throw refuse("is not JSON", cause);
      }
    });
  }

  /** Whether an address is the hub's own, and so may be asked for a listing. */
  isHub(url: URL): boolean {
    return url.origin === this.#origin;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#agent.destroy();
  }

  #check(answer: Answer, { onHubAnswer }: GetOptions): void {
    try {
      onHubAnswer?.(answer.header);
    } catch (error) {
      answer.discard();
      throw error;
    }
  }

  async #ask(url: URL, { subject, signal, range }: GetOptions): Promise<Answer> {
    const { token } = this.settings;
    const failure = (error: unknown): unknown => {
      if (signal?.aborted === true) return abortError(signal);
      return connectionFailure(error, subject, url.host) ?? error;
    };
    const response = await request(url, {
      dispatcher: this.#agent,
      headers: {
        "user-agent": "nextstep",
        // Bytes are counted and compared as they are stored.
        "accept-encoding": "identity",
        ...(range === undefined ? {} : { range: `bytes=${range[0]}-${range[1] - 1}` }),
        // The token is the hub's: it is sent to no other host, port or scheme, wherever a redirect leads.
        ...(token !== undefined && this.isHub(url) ? { authorization: `Bearer ${token}` } : {}),
      },
      ...(signal === undefined ? {} : { signal }),
    }).catch((error: unknown) => {
      throw failure(error);
    });
    const { statusCode: status, headers, body } = response;
    // Whoever discards an answer does not hear how it ended.
    body.on("error", () => {});
    return {
      status,
      header: (name) => {
        const value = headers[name];
        return typeof value === "string" ? value : value?.[0];
      },
      body: withFailures(body, failure),
      discard: () => void body.destroy(),
    };
  }

  #redirected(from: URL, location: string | undefined, subject: RequestSubject): URL {
    const to =
      location !== undefined && URL.canParse(location, from.href) ? new URL(location, from) : undefined;
    const isWeb = to?.protocol === "https:" || (to?.protocol === "http:" && from.protocol === "http:");
    if (to !== undefined && isWeb) return to;
    throw new DownloadError("is redirected to an address that is not followed", {
      where: subjectText(subject),
      remedy: "check HF_ENDPOINT",
    });
  }
}

async function* withFailures(
  body: AsyncIterable<unknown>,
  failure: (error: unknown) => unknown,
): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of body) yield chunk as Uint8Array;
  } catch (error) {
    throw failure(error);
  }
}

/** A PassingFailure that says what a person would want to know of an answer that is not what was asked for. */
export function passing(reason: string, subject: RequestSubject): PassingFailure {
  return new PassingFailure(
    new DownloadError(reason, {
      where: subjectText(subject),
      remedy: "what has arrived is kept: run the same command again",
    }),
  );
}
