/** @file How much memory this process may still take: of the machine, and of the control groups that it runs in. */
import { readFileSync } from "node:fs";
import { freemem, totalmem } from "node:os";
import { posix } from "node:path";
import type { AvailableMemory } from "../generate/memory-check.ts";

/** Reads a small file of the system; undefined if there is none. */
export type ReadText = (path: string) => string | undefined;

const CGROUPS = "/sys/fs/cgroup";

const systemText: ReadText = (path) => {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
};

/** The smallest of what the machine and the process's control groups leave. */
export function availableMemory(): AvailableMemory {
  if (process.platform === "linux") {
    const found = linuxMemory(systemText);
    if (found !== undefined) return found;
  }
  // macOS counts pages of files as used, so that what is free says nothing there.
  return { bytes: process.platform === "darwin" ? totalmem() : freemem(), of: "this machine" };
}

/** What Linux leaves, by /proc and the control groups of both versions; undefined where /proc does not say. */
export function linuxMemory(read: ReadText): AvailableMemory | undefined {
  const bounds: AvailableMemory[] = [];
  const machine = /^MemAvailable:\s+(\d+) kB$/m.exec(read("/proc/meminfo") ?? "")?.[1];
  if (machine !== undefined) bounds.push({ bytes: 1024 * Number(machine), of: "this machine" });
  for (const line of (read("/proc/self/cgroup") ?? "").split("\n")) {
    const [, controllers, path] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? [];
    if (path === undefined || (controllers !== "" && controllers?.split(",").includes("memory") !== true))
      continue;
    const files = controllers === "" ? V2 : V1;
    for (const folder of [...ancestors(path), "/"]) {
      const bytes = groupMemory(read, posix.join(files.root, folder), files);
      if (bytes !== undefined) bounds.push({ bytes, of: "the limit of its control group" });
    }
  }
  return bounds.toSorted((a, b) => a.bytes - b.bytes)[0];
}

interface GroupFiles {
  readonly root: string;
  readonly limit: string;
  readonly usage: string;
  /** Of memory.stat: pages of files, which the system drops where it needs room. */
  readonly droppable: RegExp;
}

const V2: GroupFiles = {
  root: CGROUPS,
  limit: "memory.max",
  usage: "memory.current",
  droppable: /^(?:in)?active_file (\d+)$/gm,
};
const V1: GroupFiles = {
  root: `${CGROUPS}/memory`,
  limit: "memory.limit_in_bytes",
  usage: "memory.usage_in_bytes",
  droppable: /^total_(?:in)?active_file (\d+)$/gm,
};

/** What a group leaves; undefined if it has no limit. */
function groupMemory(read: ReadText, folder: string, files: GroupFiles): number | undefined {
  const [limit, usage] = [files.limit, files.usage].map((name) =>
    Number(read(posix.join(folder, name)) ?? Number.NaN),
  );
  if (limit === undefined || usage === undefined || !Number.isFinite(limit) || !Number.isFinite(usage))
    return undefined;
  const stat = read(posix.join(folder, "memory.stat")) ?? "";
  const droppable = [...stat.matchAll(files.droppable)].reduce((sum, [, bytes]) => sum + Number(bytes), 0);
  return Math.max(0, limit - Math.max(0, usage - droppable));
}

/** A group and those it lies in, but for the root. */
function ancestors(path: string): string[] {
  const parts = path.split("/").filter((part) => part !== "" && part !== "..");
  return parts.map((_, index) => `/${parts.slice(0, parts.length - index).join("/")}`);
}
