/** @file The weights of a session on their way to the engine's thread. */
import type { StoredWeight } from "./engine.ts";
import { type Connection, plainCopy } from "./engine-connection.ts";

/** Weights that may be queued for the thread before the next is read. */
const MAX_BYTES_ON_THE_WAY = 256 * 2 ** 20;

/** Sends the weights of a session, few on the way at a time, so that a caller who makes them never holds them all. */
export class WeightUpload {
  readonly #connection: Connection;
  readonly #session: number;
  #onTheWay: Promise<void>[] = [];
  #bytes = 0;
  #failure: unknown;

  constructor(connection: Connection, session: number) {
    this.#connection = connection;
    this.#session = session;
  }

  async add(name: string, stored: StoredWeight): Promise<void> {
    const weight = sendable(stored);
    const sent = this.#connection.send({ kind: "weight", session: this.#session, name, weight });
    // Taken note of at once: nobody may be waiting yet when the engine is disposed.
    this.#onTheWay.push(
      sent.then(
        () => undefined,
        (error: unknown) => {
          this.#failure ??= error;
        },
      ),
    );
    this.#bytes += "file" in weight ? 0 : "byteLength" in weight ? weight.byteLength : weight.data.byteLength;
    if (this.#bytes > MAX_BYTES_ON_THE_WAY) await this.finish();
  }

  /** Waits for what is on the way. @throws what the first weight that did not arrive failed of. */
  async finish(): Promise<void> {
    await Promise.all(this.#onTheWay);
    this.#onTheWay = [];
    this.#bytes = 0;
    if (this.#failure !== undefined) throw this.#failure;
  }
}

/** Files are opened by the thread itself; memory that is shared already is used in place. */
function sendable(weight: StoredWeight): StoredWeight {
  if ("file" in weight) return weight;
  const data = weight instanceof Float32Array ? weight : weight.data;
  if (data.buffer instanceof SharedArrayBuffer) return weight;
  return weight instanceof Float32Array ? plainCopy(weight) : { ...weight, data: plainCopy(weight.data) };
}
