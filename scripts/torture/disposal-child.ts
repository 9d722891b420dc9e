/**
 * @file A process that closes models while they draw, write and caption, at moments that its arguments give. Prints a
 * JSON line a trial: what the work ended with.
 */
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { PROJECT } from "./command.ts";

const { open, NextStepError } = (await import(
  join(PROJECT, "dist", "index.js")
)) as typeof import("../../src/index.ts");
const [folder, image, ...delays] = process.argv.slice(2) as [string, string, ...string[]];

for (const [index, delay] of delays.entries()) {
  const model = await open(folder, { threads: 1 });
  const works = [
    () => model.draw("rain", { count: 3, size: { width: 128, height: 96 }, steps: 2 }),
    () => model.write("rain", { maxTokens: 200 }).text(),
    () => model.caption(image, { maxTokens: 200 }).text(),
  ] as const;
  const kind = index % works.length;
  const outcome = works[kind]!().then(
    () => "finished",
    (error: unknown) => {
      if (error instanceof NextStepError) return `refused: ${error.code}`;
      return `untyped: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`;
    },
  );
  await wait(Number(delay));
  // Twice: closing is harmless the second time, at the same time too.
  await Promise.all([model.close(), model[Symbol.asyncDispose]()]);
  console.log(JSON.stringify({ kind: ["draw", "write", "caption"][kind], outcome: await outcome }));
}
