/**
 * @file Server-sent events over `fetch`: the browser's own `EventSource` sends no API key and hides why a connection
 * ended. By the HTML standard's rules for the format, less `id` and `retry`, which the server does not send.
 */

export interface StreamEvent {
  readonly event: string;
  readonly data: string;
}

/** Longest line or event in characters: a job with its pictures' recipes is a few kilobytes. */
const MAX_EVENT = 4 * 1024 * 1024;

/**
 * The events of a body, to its end. A reader that stops early cancels the body.
 * @param onBytes called for whatever arrives, pings included
 * @throws Error for an event that does not end.
 */
export async function* readEvents(
  body: ReadableStream<Uint8Array>,
  onBytes: () => void = () => {},
): AsyncGenerator<StreamEvent> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  let event = "";
  let data: string[] = [];
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      onBytes();
      rest += decoder.decode(value, { stream: true });
      if (rest.length > MAX_EVENT) throw new Error("an event of the server does not end");
      // A carriage return at the very end may be half of a line's end.
      const lines = rest.split(/\r\n|\n|\r(?!$)/);
      rest = lines.pop() ?? "";
      for (const line of lines) {
        if (line === "") {
          if (data.length > 0) yield { event: event || "message", data: data.join("\n") };
          event = "";
          data = [];
          continue;
        }
        const colon = line.indexOf(":");
        const field = colon < 0 ? line : line.slice(0, colon);
        const text = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
        if (field === "event") event = text;
        if (field === "data") data.push(text);
      }
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}
