/**
 * @file A worker in a process of its own, that draws by counting: a draft holds a byte a token, each is the one before it
 * and one more. Says `drawing JOB TOKEN` as it goes and `finished JOB`; ends when nothing waits.
 */
import { setTimeout as wait } from "node:timers/promises";
import type { ClaimedJob } from "../../src/serve/contract/job-queue.ts";
import { openQueue } from "../../src/serve/queue/open-queue.ts";
import { progressAt, testPicture, USAGE } from "../../src/serve/queue/test-jobs.ts";
import { FolderStore } from "../../src/serve/store/folder-store.ts";

const TOKENS = 64;
const [databaseUrl = "", folder = "", model = "", tokenMs = "0", leaseSeconds = "20"] = process.argv.slice(2);
const blobs = await FolderStore.open(folder);
const queue = await openQueue(
  { databaseUrl },
  { blobs, maxQueued: 1000, leaseSeconds: Number(leaseSeconds) },
);
say("ready");
const never = new AbortController().signal;
for (;;) {
  const job = await queue.desk.claim(`worker ${process.pid}`, model);
  if (job !== undefined) await draw(job);
  else if ((await queue.counts()).drawing === 0) break;
  else await queue.desk.wait(never);
}
await queue[Symbol.asyncDispose]();

async function draw(job: ClaimedJob): Promise<void> {
  const { id } = job.record;
  const drawn = [...((await blobs.drafts.get(id)) ?? [])];
  while (drawn.length < TOKENS && !job.signal.aborted) {
    drawn.push((drawn.at(-1) ?? 0) + 1);
    await blobs.drafts.put(id, Uint8Array.from(drawn));
    job.progress(progressAt(drawn.length));
    say(`drawing ${id} ${drawn.length}`);
    await wait(Number(tokenMs));
  }
  const blob = await blobs.put(Uint8Array.from(drawn));
  const entries = await job.finish([testPicture(0, blob)], USAGE);
  if (entries.length === 1) say(`finished ${id}`);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
