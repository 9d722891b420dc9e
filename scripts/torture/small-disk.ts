/**
 * @file A disk that is full at a chosen moment: a file system in memory where this process may mount one, otherwise a
 * limit on the size of every file that a process writes.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const DISK_BYTES = 64 << 20;
/** A shell counts the limit in these. */
const BLOCK = 1024;

export interface SmallDisk extends Disposable {
  /** Folder on the disk. */
  readonly path: string;
  /** What it is made of. */
  readonly how: string;
  /** What the message of a failed write must say. */
  readonly reason: RegExp;
  /** Leaves about so many bytes. @returns what a command must be prefixed with to feel it. */
  leave(bytes: number): readonly string[];
  /** Makes room again. */
  release(): void;
}

/** Makes one at `path`. */
export function smallDisk(path: string): SmallDisk {
  mkdirSync(path, { recursive: true });
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${DISK_BYTES}`, "none", path], { stdio: "ignore" });
  } catch {
    return limitedFiles(path);
  }
  const ballast = join(path, "ballast");
  return {
    path,
    how: "a file system in memory (tmpfs), filled up",
    reason: /the disk is full/,
    leave(bytes) {
      const { bavail, bsize } = statfsSync(path);
      writeFileSync(ballast, new Uint8Array(Math.max(0, bavail * bsize - bytes)));
      return [];
    },
    release: () => rmSync(ballast, { force: true }),
    [Symbol.dispose]: () => void execFileSync("umount", [path]),
  };
}

function limitedFiles(path: string): SmallDisk {
  return {
    path,
    how: "a limit on the size of a file (ulimit -f): no file system could be mounted here",
    reason: /takes no file that large/,
    leave: (bytes) => ["bash", "-c", `ulimit -f ${Math.ceil(bytes / BLOCK)}; exec "$0" "$@"`],
    release: () => {},
    [Symbol.dispose]: () => {},
  };
}
