/** @file A thread that puts rows into blocks, one request after another. */
import { parentPort } from "node:worker_threads";
import { EngineError } from "../errors.ts";
import { packError } from "../runtime/node/engine-messages.ts";
import type { QuantizeAnswer } from "./quantize-pool.ts";
import { quantizeRows, type RowsToQuantize } from "./quantize-rows.ts";

const port = parentPort;
if (port === null) throw new EngineError("runs only as a worker thread", { where: "quantize-worker" });

port.on("message", (request: RowsToQuantize) => {
  let answer: QuantizeAnswer;
  const handed: ArrayBuffer[] = [];
  try {
    const value = quantizeRows(request);
    for (const part of Object.values(value.blocks)) {
      if (part?.buffer instanceof ArrayBuffer) handed.push(part.buffer);
    }
    answer = { value };
  } catch (error) {
    answer = { error: packError(error) };
  }
  port.postMessage(answer, handed);
});
