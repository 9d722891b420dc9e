/** @file Fails when an import goes up or sideways between the rooms of the house (docs/architecture.md). */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";

/** Rooms from the ground up. Rooms of one floor do not import each other. */
const FLOORS: readonly (readonly string[])[] = [
  ["errors.ts", "tensor"],
  ["graph", "formats"],
  ["sequence", "image"],
  ["model"],
  ["runtime"],
  ["checkpoint"],
  ["generate"],
  ["train", "evaluate"],
  ["cli"],
];
/** The package's front door re-exports what users may touch and stands outside the floors. */
const DOORS: ReadonlySet<string> = new Set(["index.ts"]);
const ENGINE_PACKAGE = "onnxruntime-node";
const ENGINE_ROOM = "runtime";

const source = resolve(dirname(fileURLToPath(import.meta.url)), "..", "src");

function roomOf(file: string): string {
  return relative(source, file).split(sep)[0] ?? "";
}

function floorOf(room: string): number {
  return FLOORS.findIndex((rooms) => rooms.includes(room));
}

const faults: string[] = [];
for (const entry of readdirSync(source, { recursive: true, encoding: "utf8" })) {
  if (!entry.endsWith(".ts")) continue;
  const file = join(source, entry);
  const room = roomOf(file);
  if (DOORS.has(room)) continue;
  const floor = floorOf(room);
  if (floor < 0) faults.push(`src/${entry}: "${room}" is not a room of the house`);
  const text = readFileSync(file, "utf8");
  for (const [, specifier = ""] of text.matchAll(/(?:from|import)\s*\(?\s*["']([^"']+)["']/g)) {
    if (specifier === ENGINE_PACKAGE && room !== ENGINE_ROOM) {
      faults.push(`src/${entry}: only src/${ENGINE_ROOM} imports ${ENGINE_PACKAGE}`);
    }
    if (!specifier.startsWith(".")) continue;
    const target = roomOf(resolve(dirname(file), specifier));
    if (target === room) continue;
    const targetFloor = floorOf(target);
    // "tensor" and "errors.ts" share the ground floor, and errors are for everyone.
    if (target !== "errors.ts" && targetFloor >= floor)
      faults.push(`src/${entry}: imports ${specifier}, which is not below ${room}`);
  }
}
for (const fault of faults) process.stderr.write(`${fault}\n`);
process.exitCode = faults.length === 0 ? 0 : 1;
