/** @file A PostgreSQL server of its own for tests: in a temporary folder, on loopback, gone afterwards. */
import { execFile, spawn } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { chown, mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { promisify } from "node:util";
import { freePort } from "./free-port.ts";

const run = promisify(execFile);
const DEBIAN = "/usr/lib/postgresql";
const START_MS = 60_000;

interface User {
  readonly uid?: number;
  readonly gid?: number;
}

export class TemporaryPostgres implements AsyncDisposable {
  /** Of a user who may do everything. */
  readonly url: string;
  readonly #folder: string;
  readonly #server: ReturnType<typeof spawn>;

  private constructor(url: string, folder: string, server: ReturnType<typeof spawn>) {
    this.url = url;
    this.#folder = folder;
    this.#server = server;
  }

  static async start(): Promise<TemporaryPostgres> {
    const programs = findPrograms();
    const user = await findUser();
    const folder = await mkdtemp(join(tmpdir(), "nextstep-postgres-"));
    const data = join(folder, "data");
    await mkdir(data);
    for (const path of [folder, data])
      await chown(path, user.uid ?? process.getuid!(), user.gid ?? process.getgid!());
    await run(join(programs, "initdb"), ["-D", data, "-U", "nextstep", "-A", "trust", "-E", "UTF8"], user);
    const port = await freePort();
    const settings = ["listen_addresses=127.0.0.1", `unix_socket_directories=${folder}`, "fsync=off"];
    const server = spawn(
      join(programs, "postgres"),
      ["-D", data, "-p", `${port}`, ...settings.flatMap((setting) => ["-c", setting])],
      { ...user, stdio: ["ignore", "ignore", "pipe"] },
    );
    let log = "";
    server.stderr.on("data", (text: Buffer) => {
      log = (log + text.toString()).slice(-10_000);
    });
    const started = performance.now();
    while (!log.includes("ready to accept connections")) {
      if (server.exitCode !== null || performance.now() - started > START_MS) {
        server.kill("SIGKILL");
        throw new Error(`PostgreSQL does not start: ${log}`);
      }
      await wait(50);
    }
    return new TemporaryPostgres(`postgres://nextstep@127.0.0.1:${port}/postgres`, folder, server);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = new Promise((resolve) => this.#server.once("exit", resolve));
    if (this.#server.exitCode === null) {
      // "Fast": clients are sent away.
      this.#server.kill("SIGINT");
      await ended;
    }
    await rm(this.#folder, { recursive: true, force: true });
  }
}

/** Debian keeps them out of the PATH, by version. */
function findPrograms(): string {
  const versions = existsSync(DEBIAN) ? readdirSync(DEBIAN).sort((a, b) => Number(b) - Number(a)) : [];
  const folders = [
    ...versions.map((version) => join(DEBIAN, version, "bin")),
    ...(process.env.PATH ?? "").split(":"),
  ];
  const found = folders.find(
    (folder) => existsSync(join(folder, "initdb")) && existsSync(join(folder, "postgres")),
  );
  if (found !== undefined) return found;
  throw new Error("there is no PostgreSQL: apt-get install postgresql, or whatever this system calls it");
}

/** PostgreSQL refuses to be root. */
async function findUser(): Promise<User> {
  if (process.getuid?.() !== 0) return {};
  for (const line of (await readFile("/etc/passwd", "utf8")).split("\n")) {
    const [name, , uid, gid] = line.split(":");
    if (name === "postgres") return { uid: Number(uid), gid: Number(gid) };
  }
  throw new Error("there is no user postgres");
}
