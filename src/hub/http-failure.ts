/** @file What an answer other than the file, or no answer, means for the person who asked. */
import { DownloadError } from "../errors.ts";
import { printable } from "../formats/quoted.ts";
import type { HubSettings } from "./hub-settings.ts";
import { PassingFailure, retryAfterMs } from "./retry.ts";

/** What a request was for. */
export interface RequestSubject {
  readonly repository: string;
  readonly revision: string;
  /** A file of the repository; absent where its listing was asked for. */
  readonly file?: string;
}

export interface FailedAnswer {
  readonly status: number;
  readonly header: (name: string) => string | undefined;
}

/** Of a server's own words. */
const MAX_QUOTED = 200;

/** Faults of certificates by the names that TLS gives them. */
const CERTIFICATE = /CERT|SELF_SIGNED|UNABLE_TO_(?:GET|VERIFY)|ERR_TLS|ERR_SSL/;

export function subjectText({ repository, file }: RequestSubject): string {
  return file === undefined ? repository : `${repository}/${file}`;
}

/**
 * The error for an answer whose status is not one of success.
 * @param isHub false for the host that a redirect led to.
 */
export function answerFailure(
  answer: FailedAnswer,
  subject: RequestSubject,
  { endpoint, token }: Pick<HubSettings, "endpoint" | "token">,
  { isHub, now }: { readonly isHub: boolean; readonly now: number },
): DownloadError | PassingFailure {
  const { status, header } = answer;
  const where = subjectText(subject);
  const page = `${endpoint}/${subject.repository}`;
  const fail = (reason: string, remedy: string): DownloadError =>
    new DownloadError(`${reason}${ownWords(header("x-error-message"))}`, { where, remedy });
  if (status === 429) {
    const waitMs = retryAfterMs(header("retry-after"), now);
    const later = waitMs === undefined ? "later" : `in ${Math.ceil(waitMs / 1000)} s`;
    const remedy = `run the same command again ${later}${token === undefined ? "; with an access token in HF_TOKEN more is allowed" : ""}`;
    return new PassingFailure(fail("too many requests (429)", remedy), waitMs);
  }
  if (status === 408 || status >= 500) {
    const waitMs = retryAfterMs(header("retry-after"), now);
    return new PassingFailure(
      fail(`the server failed (${status})`, "what has arrived is kept: run the same command again"),
      waitMs,
    );
  }
  if (!isHub && (status === 401 || status === 403 || status === 404 || status === 410)) {
    // Links of the store behind the hub expire; the hub gives a new one.
    return new PassingFailure(
      fail(`the store behind the hub refused its own link (${status})`, "run the same command again"),
    );
  }
  const code = header("x-error-code");
  if (code === "GatedRepo" || (status === 403 && token !== undefined)) {
    return fail(
      `access was refused (${status})`,
      `accept the terms at ${page}, with the account whose access token is in HF_TOKEN`,
    );
  }
  if (status === 401 || status === 403) {
    return token === undefined
      ? fail(
          `does not exist, or is not public (${status})`,
          `check the name at ${page}; for a repository that is not public put an access token into HF_TOKEN`,
        )
      : fail(
          `the access token was refused (${status})`,
          "make a new one and put it into HF_TOKEN, or take it away for what is public",
        );
  }
  if (status === 404 && code === "RevisionNotFound") {
    return fail(
      `has no revision "${printable(subject.revision)}" (404)`,
      `look at ${page} for the names of its revisions`,
    );
  }
  if (status === 404) {
    return subject.file === undefined
      ? fail("there is no such repository or revision (404)", `check the name at ${page}`)
      : fail("the hub lists the file but does not have it (404)", "try again later, or another revision");
  }
  if (status === 416) {
    return fail(
      "the server's file ends before the place that was asked for (416)",
      "the server's copy is not what its listing says: try again later, or without HF_ENDPOINT",
    );
  }
  return fail(`the server answered ${status}`, "check HF_ENDPOINT and the proxy, if one is set");
}

/** The error for a request that got no answer, or whose answer broke off; undefined for faults of other kinds. */
export function connectionFailure(
  error: unknown,
  subject: RequestSubject,
  host: string,
): DownloadError | PassingFailure | undefined {
  if (!(error instanceof Error)) return undefined;
  const code = codeOf(error);
  if (code === undefined) return undefined;
  const fail = (reason: string, remedy: string): DownloadError =>
    new DownloadError(reason, { where: subjectText(subject), remedy, cause: error });
  const refusal = /^Proxy response \((\d{3})\)/.exec(error.message)?.[1];
  if (refusal !== undefined) {
    const remedy =
      refusal === "407" ? "give it user and password: http://USER:PASSWORD@HOST:PORT" : "ask who runs it";
    return fail(`the proxy refuses the way to ${host} (${refusal})`, remedy);
  }
  if (CERTIFICATE.test(code)) {
    return fail(
      `the certificate of ${host} is not trusted (${code})`,
      "behind a proxy that reads along, name its certificate in NODE_EXTRA_CA_CERTS",
    );
  }
  if (code === "ENOTFOUND" || code === "EAI_AGAIN") {
    return new PassingFailure(
      fail(`${host} cannot be found`, "check the connection, HF_ENDPOINT and the proxy settings"),
    );
  }
  if (code === "ECONNREFUSED" || code === "ENETUNREACH" || code === "EHOSTUNREACH") {
    return new PassingFailure(
      fail(`${host} cannot be reached (${code})`, "check the connection, HF_ENDPOINT and the proxy settings"),
    );
  }
  if (/TIMEOUT|ETIMEDOUT/.test(code)) {
    return new PassingFailure(
      fail(
        `${host} has gone silent`,
        "what has arrived is kept: run the same command again, with a larger HF_HUB_DOWNLOAD_TIMEOUT if the line is slow",
      ),
    );
  }
  return new PassingFailure(
    fail(
      `the connection to ${host} broke off (${code})`,
      "what has arrived is kept: run the same command again",
    ),
  );
}

/** The innermost code: proxies wrap what they meet. */
function codeOf(error: Error): string | undefined {
  const inner = error.cause instanceof Error ? codeOf(error.cause) : undefined;
  if (inner !== undefined) return inner;
  return "code" in error && typeof error.code === "string" ? error.code : undefined;
}

function ownWords(message: string | undefined): string {
  return message === undefined || message === "" ? "" : `: "${printable(message.slice(0, MAX_QUOTED))}"`;
}
