/** @file Server-sent events (WHATWG HTML, section 9.2). */
import { apiErrorOf } from "./api-error.ts";

export interface ServerEvent {
  /** Without a name for the bare `[DONE]`. */
  readonly event?: string;
  readonly data: string;
}

/** The text of events that end a stream as OpenAI's do. */
export const DONE: ServerEvent = { data: "[DONE]" };

/**
 * An answer of events. Each is asked for only when the client has taken what came before, so that one that does not read
 * costs an event and the socket's own buffer. Between events there is a comment every `pingMs`, which keeps proxies and
 * clients from giving up. An error becomes an event, because the status is out already.
 *
 * @param events ended (`return`) when the client goes away
 * @param onError told of every error that is answered so
 */
export function eventStream(
  events: AsyncGenerator<ServerEvent>,
  pingMs: number,
  onError: (error: unknown) => void,
): Response {
  const encoder = new TextEncoder();
  // Begun at once: a generator that never began does not clean up when it is ended.
  let next: Promise<IteratorResult<ServerEvent>> | undefined = events.next();
  next.catch(() => {});
  const stream = new ReadableStream<Uint8Array>(
    {
      start(controller) {
        // Something at once, so that headers are flushed.
        controller.enqueue(encoder.encode(": ok\n\n"));
      },
      async pull(controller) {
        try {
          next ??= events.next();
          const result = await beforePing(next, pingMs);
          if (result === undefined) {
            controller.enqueue(encoder.encode(": ping\n\n"));
            return;
          }
          next = undefined;
          if (result.done === true) controller.close();
          else controller.enqueue(encoder.encode(eventText(result.value)));
        } catch (error) {
          onError(error);
          controller.enqueue(encoder.encode(eventText(errorEvent(error))));
          controller.close();
        }
      },
      async cancel() {
        await events.return(undefined);
      },
    },
    { highWaterMark: 1 },
  );
  return new Response(stream, {
    headers: {
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": "no-store",
      // nginx would keep events back.
      "x-accel-buffering": "no",
    },
  });
}

/** The result, or undefined when it takes longer than `ms`. */
async function beforePing<Value>(result: Promise<Value>, ms: number): Promise<Value | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const ping = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), ms);
  });
  try {
    return await Promise.race([result, ping]);
  } finally {
    clearTimeout(timer);
  }
}

export function errorEvent(error: unknown): ServerEvent {
  return { event: "error", data: JSON.stringify(apiErrorOf(error).body) };
}

function eventText({ event, data }: ServerEvent): string {
  const lines = data.split("\n").map((line) => `data: ${line}\n`);
  return `${event === undefined ? "" : `event: ${event}\n`}${lines.join("")}\n`;
}
