/**
 * @file Fails when an import goes up or sideways between the rooms of the house, in a circle, or to Node from a room
 * that runs anywhere (docs/architecture.md).
 */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";

/** Rooms from the ground up. Rooms of one floor do not import each other. */
const HOUSE: readonly (readonly string[])[] = [
  ["errors.ts", "tensor"],
  ["graph", "formats"],
  ["image"],
  ["sequence"],
  ["model", "files"],
  ["runtime", "hub"],
  ["checkpoint"],
  ["generate"],
  ["node"],
  ["train", "convert"],
  ["evaluate", "serve"],
  ["cli"],
];
/** The rooms inside `serve/`. */
const SERVE: readonly (readonly string[])[] = [["contract"], ["queue", "store"], ["draw"], ["http"]];
/** The rooms inside `train/`. */
const TRAIN: readonly (readonly string[])[] = [
  ["step-random.ts", "plain-json.ts"],
  ["optimizer", "data"],
  ["objective"],
  ["loop"],
  ["autoencoder", "text-tokenizer"],
  ["model"],
  ["adapter"],
  ["preference", "reward"],
];
/** Doors re-export what users may touch and stand outside the floors. */
const DOORS: ReadonlySet<string> = new Set(["index.ts", "train/index.ts"]);
/** What may import Node's own modules and native packages; all else runs wherever JavaScript does. */
const NODE_PLACES = [
  "files/",
  "hub/",
  "runtime/node/",
  "node/",
  "train/",
  "evaluate/",
  "convert/",
  "serve/queue/",
  "serve/store/",
  "serve/draw/",
  "serve/http/",
  "cli/",
] as const;
const NATIVE_PACKAGES: ReadonlySet<string> = new Set(["sharp", "commander", "undici", "pg", "pg-boss"]);
/** Tests are Node programs: they read files and open models as users do, wherever they stand. */
const TESTS = /\.test\.ts$|(?:^|\/)test-[a-z-]+\.ts$/;
const ROOMS_FOR_TESTS: ReadonlySet<string> = new Set(["files", "node"]);
const ENGINE_PACKAGE = "onnxruntime-node";
/** It sets what the library must find when it loads. */
const ENGINE_LOADER = "runtime/node/onnxruntime.ts";

const source = resolve(dirname(fileURLToPath(import.meta.url)), "..", "src");
const faults: string[] = [];

/** Path below src/, with forward slashes. */
function placeOf(file: string): string {
  return relative(source, file).split(sep).join("/");
}

function roomOf(place: string): string {
  return place.split("/")[0] ?? "";
}

function isNodePlace(place: string): boolean {
  return NODE_PLACES.some((start) => place.startsWith(start));
}

function floorOf(floors: readonly (readonly string[])[], room: string): number {
  return floors.findIndex((rooms) => rooms.includes(room));
}

/** A fault of the import from one place to another within a set of floors, rooms being named by the given path part. */
function faultOf(
  floors: readonly (readonly string[])[],
  part: number,
  from: string,
  to: string,
): string | undefined {
  const room = from.split("/")[part] ?? "";
  const target = to.split("/")[part] ?? "";
  // "tensor" and "errors.ts" share the ground floor, and errors are for everyone.
  if (room === target || target === "errors.ts") return undefined;
  if (floorOf(floors, room) < 0) return `"${room}" is not a room of the house`;
  return floorOf(floors, target) < floorOf(floors, room)
    ? undefined
    : `imports ${to}, which is not below ${room}`;
}

/** Files imported by each file, by place. */
const imports = new Map<string, string[]>();
for (const entry of readdirSync(source, { recursive: true, encoding: "utf8" })) {
  if (!entry.endsWith(".ts")) continue;
  const file = join(source, entry);
  const place = placeOf(file);
  const targets: string[] = [];
  imports.set(place, targets);
  const text = readFileSync(file, "utf8");
  for (const [, specifier = ""] of text.matchAll(/(?:from|import)\s*\(?\s*["']([^"']+)["']/g)) {
    if (specifier === ENGINE_PACKAGE && place !== ENGINE_LOADER) {
      faults.push(`src/${place}: only src/${ENGINE_LOADER} imports ${ENGINE_PACKAGE}`);
    }
    const isTest = TESTS.test(place);
    const isNative = specifier.startsWith("node:") || NATIVE_PACKAGES.has(specifier);
    if (isNative && !isTest && !isNodePlace(place)) {
      faults.push(`src/${place}: imports ${specifier}, which is not everywhere`);
    }
    if (!specifier.startsWith(".")) continue;
    const target = placeOf(resolve(dirname(file), specifier));
    targets.push(target);
    if (DOORS.has(place) || target.startsWith("..")) continue;
    if (!isTest && isNodePlace(target) && !isNodePlace(place)) {
      faults.push(`src/${place}: imports ${target}, which is not everywhere`);
    }
    if (isTest && ROOMS_FOR_TESTS.has(roomOf(target))) continue;
    const fault =
      faultOf(HOUSE, 0, place, target) ??
      (place.startsWith("train/") && target.startsWith("train/")
        ? faultOf(TRAIN, 1, place, target)
        : undefined) ??
      (place.startsWith("serve/") && target.startsWith("serve/")
        ? faultOf(SERVE, 1, place, target)
        : undefined);
    if (fault !== undefined) faults.push(`src/${place}: ${fault}`);
  }
}

/** Depth-first: a file met again on the way down closes a circle. */
const done = new Set<string>();
function walk(place: string, way: readonly string[]): void {
  const again = way.indexOf(place);
  if (again >= 0) {
    faults.push(`circular: ${[...way.slice(again), place].map((step) => `src/${step}`).join(" -> ")}`);
    return;
  }
  if (done.has(place)) return;
  for (const target of imports.get(place) ?? []) walk(target, [...way, place]);
  done.add(place);
}
for (const place of imports.keys()) walk(place, []);

for (const fault of faults) process.stderr.write(`${fault}\n`);
process.exitCode = faults.length === 0 ? 0 : 1;
