/** @file Makes the files of an embedded database, in a thread whose memory is given back afterwards. */
import { randomBytes } from "node:crypto";
import { readdir, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { Worker } from "node:worker_threads";
import { partialName } from "../../files/partial-name.ts";
import { syncFolder } from "../../files/sync-folder.ts";

/** PGlite makes a database in 0.5 GB of memory and three seconds that nothing else would have of the main thread. */
const MAKER = `
const { workerData: { module, folder } } = require("node:worker_threads");
import(module).then(async ({ PGlite }) => (await PGlite.create({ dataDir: folder })).close());
`;

/**
 * Fills `folder`, which is not there yet: it appears whole or not at all. Whoever calls this holds the lock of it; what
 * killed processes left of earlier tries is removed.
 */
export async function makeDatabase(folder: string): Promise<void> {
  const [above, name] = [dirname(folder), basename(folder)];
  for (const left of await readdir(above)) {
    if (left.startsWith(partialName(name))) await rm(join(above, left), { recursive: true, force: true });
  }
  const partial = join(above, partialName(name, randomBytes(4).toString("hex")));
  try {
    await runMaker(partial);
    await rename(partial, folder);
    await syncFolder(above);
  } catch (error) {
    await rm(partial, { recursive: true, force: true }).catch(() => {});
    throw error;
  }
}

async function runMaker(folder: string): Promise<void> {
  const module = import.meta.resolve("@electric-sql/pglite");
  const maker = new Worker(MAKER, { eval: true, workerData: { module, folder } });
  await new Promise<void>((resolve, reject) => {
    maker.once("error", reject);
    maker.once("exit", (code) => {
      if (code === 0) resolve();
      else reject(new Error(`making the database ended with code ${code}`));
    });
  });
}
