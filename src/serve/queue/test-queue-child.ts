/** @file A process for tests that has a queue open and is killed: it finishes a job, draws at one, leaves one waiting. */
import { openQueue } from "./open-queue.ts";
import { MODEL, progressAt, testJob, testPicture, USAGE } from "./test-jobs.ts";
import { MemoryStore } from "./test-memory-store.ts";

const [folder = ""] = process.argv.slice(2);
const queue = await openQueue({ folder }, { blobs: new MemoryStore(), maxQueued: 100 });
for (let i = 0; i < 3; i++) process.stdout.write(`${(await queue.submit(testJob(`${i}`))).id}\n`);
const first = await queue.desk.claim("worker", MODEL);
await first?.finish([testPicture(0, "0".repeat(64))], USAGE);
const second = await queue.desk.claim("worker", MODEL);
second?.progress(progressAt(30));
while ((await queue.get(second!.record.id))?.progress?.token !== 30)
  await new Promise((resolve) => setTimeout(resolve, 10));
process.stdout.write("ready\n");
setInterval(() => {}, 1000);
