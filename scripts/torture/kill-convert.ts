/** @file SIGKILL of conversions, of a folder and from a hub, until one comes to its end. */
import { existsSync, readFileSync } from "node:fs";
import { readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { type Mischief, type ServedFile, TestHub } from "../../src/hub/test-hub-server.ts";
import { badFailure, mustSucceed, nextstep, PROJECT, RunningCommand } from "./command.ts";
import { filesBelow, folderDigest } from "./folder-digest.ts";
import { pause, until } from "./moment.ts";
import type { Scenario, Trials } from "./scenario.ts";
import { namesIn } from "./training-run.ts";

const SOURCE = join(PROJECT, "test", "parity", "models", "v1");
const REPOSITORY = "torture/model";
/** The hub sends a shard in so many pieces, with pauses. */
const PIECES = 20;
const PAUSE_MS = 8;

/** Of one conversion. */
const MOST_KILLS = 4;

/** A conversion, and what it comes to when it is left alone. */
interface Way {
  readonly name: string;
  readonly args: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly whole: string;
  readonly milliseconds: number;
}

async function killConvert(trials: Trials): Promise<void> {
  await using hub = await TestHub.start();
  const files = await servedFiles();
  hub.serve(REPOSITORY, files);
  hub.mischief = slowly(files);
  const environment = {
    HF_ENDPOINT: hub.endpoint,
    HF_HOME: join(trials.folder, "home"),
    HF_HUB_CACHE: join(trials.folder, "cache"),
  };
  const ways = [
    await take(trials, "of a folder", [SOURCE], {}),
    await take(trials, "from the hub", [REPOSITORY, "--pull"], environment),
  ];
  const out = join(trials.folder, "out");
  for (let kills = 0, runs = 0; kills < trials.count; runs++) {
    const way = ways[runs % ways.length]!;
    await rm(out, { recursive: true, force: true });
    for (let left = 1 + trials.rng.below(MOST_KILLS); ; left--) {
      const kept = convertedShards(out);
      hub.seen.length = 0;
      const command = new RunningCommand(argsOf(way, out), { environment: way.environment });
      if (left > 0 && kills < trials.count) await killSoon(trials, command, out, way);
      const end = await command.ended;
      const again = hub.fetched.filter((path) => kept.includes(path));
      if (again.length > 0) trials.lost(`fetches again what is converted: ${again.join(", ")}`);
      if (end.signal !== "SIGKILL") {
        const bad = badFailure(end, [0]);
        if (bad !== undefined) trials.lost(bad);
        if ((await folderDigest(out)) !== way.whole) trials.lost(`${way.name}: comes to something else`);
        trials.outcome(`${way.name}: came to its end, to the same bytes`);
        break;
      }
      const isModel = existsSync(join(out, "config.json"));
      trials.outcome(`${way.name}: killed with ${convertedShards(out).length} shards converted`);
      if (isModel) await checkOpens(trials, out);
      trials.next();
      kills++;
    }
  }
}

async function servedFiles(): Promise<ServedFile[]> {
  return Promise.all(
    (await filesBelow(SOURCE)).map(async (path) => ({
      path,
      bytes: await readFile(join(SOURCE, path)),
      large: /\.(?:safetensors|pt)$/.test(path),
    })),
  );
}

/** Shards come as from a slow line, so that kills meet them on their way. */
function slowly(files: readonly ServedFile[]): Mischief {
  return (_request, response, { path, range }) => {
    const file = files.find((one) => path.endsWith(`/${one.path}`) && one.path.endsWith(".safetensors"));
    if (file === undefined || range !== undefined) return false;
    response.writeHead(200, { "content-length": file.bytes.length });
    const step = Math.ceil(file.bytes.length / PIECES);
    void (async () => {
      for (let at = 0; at < file.bytes.length && !response.destroyed; at += step) {
        response.write(file.bytes.subarray(at, at + step));
        await wait(PAUSE_MS);
      }
      response.end();
    })();
    return true;
  };
}

async function take(
  { folder }: Trials,
  name: string,
  source: readonly string[],
  environment: Way["environment"],
): Promise<Way> {
  const out = join(folder, "reference");
  const args = ["convert", ...source, "--bits", "4", "--threads", "2"];
  const started = performance.now();
  const end = await nextstep([...args, out], { environment });
  if (end.code !== 0) throw new Error(`converting failed, undisturbed: ${end.err}`);
  const milliseconds = performance.now() - started;
  const whole = await folderDigest(out);
  await rm(out, { recursive: true });
  return { name, args, environment, whole, milliseconds };
}

function argsOf({ args }: Way, out: string): string[] {
  return [...args, out];
}

async function killSoon({ rng }: Trials, command: RunningCommand, out: string, way: Way): Promise<void> {
  const below = (n: number): number => rng.below(n);
  if (below(2) === 0) await Promise.race([pause(below, way.milliseconds), command.ended]);
  else {
    // Around the moments at which a shard appears, is noted, and dropped.
    const shards = (): number => namesIn(out).filter((name) => name.endsWith(".safetensors")).length;
    const wanted = shards() + 1;
    await until(command, () => shards() >= wanted);
    await pause(below, 2 * PAUSE_MS);
  }
  command.kill("SIGKILL");
}

/** As the manifest says. */
function convertedShards(out: string): string[] {
  const path = join(out, "conversion.json");
  if (!existsSync(path)) return [];
  return Object.keys((JSON.parse(readFileSync(path, "utf8")) as { shards: object }).shards);
}

/** Whatever has a configuration must be a model. */
async function checkOpens(trials: Trials, out: string): Promise<void> {
  const shards = (await readdir(out)).filter((name) => name.endsWith(".safetensors"));
  await mustSucceed(["inspect", out]).catch((error: unknown) =>
    trials.lost(`looks whole with ${shards.length} shards and is not: ${String(error)}`),
  );
}

export const killConvertScenario: Scenario = {
  name: "kill-convert",
  about: "SIGKILL of conversions, of a folder and with --pull from a slow hub",
  trials: (count) => Math.ceil(0.5 * count),
  run: killConvert,
};
