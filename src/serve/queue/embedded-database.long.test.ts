import { spawn } from "node:child_process";
import { once } from "node:events";
import { cp, mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { InputError, StorageError } from "../../errors.ts";
import { EmbeddedDatabase } from "./embedded-database.ts";
import { type OpenQueue, openQueue } from "./open-queue.ts";
import { MODEL, testPicture, USAGE } from "./test-jobs.ts";
import { MemoryStore } from "./test-memory-store.ts";

const CHILD = fileURLToPath(new URL("./test-queue-child.ts", import.meta.url));
/** Making a database takes seconds, on a busy machine many. */
const LONG_MS = 300_000;

let root = "";
let folder = "";
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "nextstep-queue-"));
  folder = join(root, "queue");
});
afterAll(() => rm(root, { recursive: true, force: true }));

function open(place = folder): Promise<OpenQueue> {
  return openQueue({ folder: place }, { blobs: new MemoryStore(), maxQueued: 100 });
}

test(
  "a process is killed: what it had promised stands, what it was drawing is drawn on",
  async () => {
    // A killed predecessor had begun to make it.
    await mkdir(join(folder, ".database.partial-0123"), { recursive: true });
    await writeFile(join(folder, ".lock-999999999-0-00"), "");
    const child = spawn(process.execPath, ["--import", "tsx", CHILD, folder], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const lines: string[] = [];
    for await (const line of createInterface({ input: child.stdout })) {
      lines.push(line);
      if (line === "ready") break;
    }
    const refusal = open();
    await expect(refusal).rejects.toThrow(InputError);
    await expect(refusal).rejects.toThrow(`process ${child.pid}`);
    child.kill("SIGKILL");
    await once(child, "exit");
    const [finished, drawn, waiting] = lines as [string, string, string];

    const queue = await open();
    expect(await queue.get(finished)).toMatchObject({ status: "finished", attempts: 1 });
    expect(await queue.gallery.count()).toBe(1);
    expect(await queue.get(drawn)).toMatchObject({ status: "queued", attempts: 1, position: 0 });
    expect(await queue.get(waiting)).toMatchObject({ status: "queued", attempts: 0, position: 1 });
    expect((await queue.get(drawn))?.progress).toMatchObject({ token: 30 });
    const claimed = await queue.desk.claim("worker", MODEL);
    expect(claimed?.record).toMatchObject({ id: drawn, attempts: 2 });
    expect(await claimed?.finish([testPicture(0, "0".repeat(64))], USAGE)).toHaveLength(1);
    await queue[Symbol.asyncDispose]();
    expect(await readdir(folder)).toEqual(["database"]);
  },
  LONG_MS,
);

test.each<[string, (database: string) => Promise<void>, new (...args: never[]) => Error]>([
  ["half of it is gone", (database) => rm(join(database, "PG_VERSION")), StorageError],
  ["its log is gone", (database) => rm(join(database, "pg_wal"), { recursive: true }), StorageError],
  [
    "a catalogue is zeros",
    (database) => writeFile(join(database, "base/5/1259"), new Uint8Array(1 << 17)),
    StorageError,
  ],
  ["it is another version's", (database) => writeFile(join(database, "PG_VERSION"), "16\n"), InputError],
])(
  "a database is refused with what to do when %s",
  async (_, damage, type) => {
    const copy = await mkdtemp(join(root, "copy-"));
    await cp(folder, copy, { recursive: true });
    await damage(join(copy, "database"));
    const refusal = open(copy);
    await expect(refusal).rejects.toThrow(type);
    await expect(refusal).rejects.toThrow(/another store|backup/);
    // Nobody is kept out by it.
    expect((await readdir(copy)).filter((name) => name.startsWith(".lock"))).toEqual([]);
  },
  LONG_MS,
);

test("a place that cannot be written to is refused", async () => {
  const file = join(root, "file");
  await writeFile(file, "");
  await expect(open(join(file, "queue"))).rejects.toThrow(InputError);
});

test(
  "rows that are dead and the log do not pile up",
  async () => {
    await using database = await EmbeddedDatabase.open(folder);
    await database.script("CREATE TABLE much (id integer PRIMARY KEY, text text)");
    await database.query("INSERT INTO much SELECT id, repeat('x', 500) FROM generate_series(1, 100) AS id");
    const size = async (): Promise<number> => {
      const [row] = await database.query<{ size: number }>("SELECT pg_table_size('much')::integer AS size");
      return row!.size;
    };
    const rewrite = async (): Promise<void> => {
      for (let i = 0; i < 20; i++)
        await database.query("UPDATE much SET text = repeat($1, 500)", [`${i % 10}`]);
    };
    await rewrite();
    const once = await size();
    for (let i = 0; i < 3; i++) {
      await database.tidy();
      await rewrite();
    }
    expect(await size()).toBeLessThan(1.5 * once);
  },
  LONG_MS,
);
