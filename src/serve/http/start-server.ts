/** @file The listening server: bounds on slow clients, and how it ends. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:http";
import type { Socket } from "node:net";
import { getRequestListener, RequestError } from "@hono/node-server";
import { InputError } from "../../errors.ts";
import { hasCode } from "../../files/write-failure.ts";
import { ApiError, apiErrorOf } from "./api-error.ts";
import { createApp } from "./create-app.ts";
import { newRequestId } from "./request-id.ts";
import type { ServerParts } from "./server-parts.ts";
import { bracketed } from "./site-rules.ts";

export interface ListenOptions {
  readonly host: string;
  /** 0: any that is free. */
  readonly port: number;
}

/** Milliseconds for a request's headers, and for all of it: who sends a byte a minute is cut off. */
const HEADERS_MS = 20_000;
const REQUEST_MS = 300_000;
const CHECK_MS = 5_000;
const KEEP_ALIVE_MS = 65_000;
const MAX_HEADER_BYTES = 16 * 1024;
/** Answers that are being written when the server ends get so long. */
const LAST_ANSWERS_MS = 5_000;
/** Each may hold a stream's buffers. */
const MAX_CONNECTIONS = 1024;

export interface RunningServer extends AsyncDisposable {
  readonly port: number;
  /** `http://HOST:PORT`. */
  readonly url: string;
  /** Takes no new connections; resolves when those that are open have ended, which they have some seconds for. */
  close(): Promise<void>;
}

/** @throws InputError in one line for a port that is taken or an address that is not this machine's. */
export async function startServer(parts: ServerParts, { host, port }: ListenOptions): Promise<RunningServer> {
  const app = createApp(parts);
  const listener = getRequestListener(app.fetch, {
    overrideGlobalObjects: false,
    hostname: bracketed(host),
    errorHandler: (error) => {
      const answer = apiErrorOf(
        error instanceof RequestError
          ? new ApiError(400, "The request line or the Host header is malformed.")
          : error,
      );
      return new Response(JSON.stringify(answer.body), {
        status: answer.status,
        headers: { "content-type": "application/json", "x-request-id": newRequestId() },
      });
    },
  });
  const server = createServer(
    {
      headersTimeout: HEADERS_MS,
      requestTimeout: REQUEST_MS,
      connectionsCheckingInterval: CHECK_MS,
      keepAliveTimeout: KEEP_ALIVE_MS,
      // Who has gone without a word, with the line or the power, is found by the system in some minutes.
      keepAlive: true,
      keepAliveInitialDelay: KEEP_ALIVE_MS,
      maxHeaderSize: MAX_HEADER_BYTES,
    },
    (incoming: IncomingMessage, outgoing: ServerResponse) => {
      // Headers go out with the first byte of the body otherwise, and with a small one late.
      incoming.socket.setNoDelay(true);
      void listener(incoming, outgoing);
    },
  );
  server.maxConnections = MAX_CONNECTIONS;
  server.on("clientError", refuseMalformed);
  await listen(server, host, port);
  const address = server.address();
  const bound = typeof address === "object" && address !== null ? address.port : port;
  let closing: Promise<void> | undefined;
  const close = (): Promise<void> => {
    closing ??= new Promise((resolve) => {
      const late = setTimeout(() => server.closeAllConnections(), LAST_ANSWERS_MS);
      server.close(() => {
        clearTimeout(late);
        resolve();
      });
      server.closeIdleConnections();
    });
    return closing;
  };
  return {
    port: bound,
    url: `http://${bracketed(host)}:${bound}`,
    close,
    async [Symbol.asyncDispose]() {
      const closed = close();
      server.closeAllConnections();
      await closed;
    },
  };
}

/** What is no HTTP gets an answer all the same, in the shape of every other. */
function refuseMalformed(error: Error, socket: Socket): void {
  if (!socket.writable || hasCode(error, "ECONNRESET")) {
    socket.destroy();
    return;
  }
  const [status, words] = hasCode(error, "HPE_HEADER_OVERFLOW")
    ? ["431 Request Header Fields Too Large", "The headers of the request are too large."]
    : hasCode(error, "ERR_HTTP_REQUEST_TIMEOUT")
      ? ["408 Request Timeout", "The request took too long to arrive."]
      : ["400 Bad Request", "The request is not HTTP."];
  const body = JSON.stringify(new ApiError(400, words).body);
  socket.end(
    `HTTP/1.1 ${status}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\nx-request-id: ${newRequestId()}\r\nconnection: close\r\n\r\n${body}`,
  );
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (error) => reject(listenFailure(error, host, port)));
    server.listen(port, host, () => {
      server.removeAllListeners("error");
      resolve();
    });
  });
}

function listenFailure(cause: Error, host: string, port: number): Error {
  const where = `${bracketed(host)}:${port}`;
  if (hasCode(cause, "EADDRINUSE")) {
    return new InputError("is taken by another program", { where, remedy: "give another --port", cause });
  }
  if (hasCode(cause, "EACCES")) {
    return new InputError("may not be listened on", {
      where,
      remedy: "give a --port of 1024 or above",
      cause,
    });
  }
  if (hasCode(cause, "EADDRNOTAVAIL") || hasCode(cause, "ENOTFOUND") || hasCode(cause, "EAI_AGAIN")) {
    return new InputError("is no address of this machine", {
      where,
      remedy: "give another --host, e.g. 127.0.0.1 or 0.0.0.0",
      cause,
    });
  }
  return new InputError(`cannot be listened on: ${cause.message}`, { where, cause });
}
