import { describe, expect, it } from "vitest";
import { availableMemory, linuxMemory } from "./available-memory.ts";

const MEMINFO = "MemTotal:       16000000 kB\nMemFree:  1 kB\nMemAvailable:   8000000 kB\n";
const files =
  (texts: Record<string, string>) =>
  (path: string): string | undefined =>
    ({ "/proc/meminfo": MEMINFO, ...texts })[path];

describe("available memory", () => {
  it("is what the machine leaves where no group has a limit", () => {
    expect(linuxMemory(files({}))).toEqual({ bytes: 8_192_000_000, of: "this machine" });
    const group = {
      "/proc/self/cgroup": "0::/user.slice\n",
      "/sys/fs/cgroup/user.slice/memory.max": "max\n",
    };
    expect(linuxMemory(files(group))?.of).toBe("this machine");
  });

  it("is what a group of version 2 leaves, or one that it lies in, pages of files aside", () => {
    const texts = {
      "/proc/self/cgroup": "0::/outer/inner\n",
      "/sys/fs/cgroup/outer/inner/memory.max": "max\n",
      "/sys/fs/cgroup/outer/inner/memory.current": "5\n",
      "/sys/fs/cgroup/outer/memory.max": "4000000000\n",
      "/sys/fs/cgroup/outer/memory.current": "3000000000\n",
      "/sys/fs/cgroup/outer/memory.stat": "anon 7\ninactive_file 1500000000\nactive_file 500000000\n",
    };
    expect(linuxMemory(files(texts))).toEqual({ bytes: 3e9, of: "the limit of its control group" });
  });

  it("is what a group of version 1 leaves, also where the group is the root of its own view", () => {
    const texts = {
      "/proc/self/cgroup": "12:cpu,cpuacct:/docker/x\n5:memory:/docker/x\n",
      "/sys/fs/cgroup/memory/memory.limit_in_bytes": "1000\n",
      "/sys/fs/cgroup/memory/memory.usage_in_bytes": "900\n",
      "/sys/fs/cgroup/memory/memory.stat": "inactive_file 1\ntotal_inactive_file 100\n",
    };
    expect(linuxMemory(files(texts))?.bytes).toBe(200);
  });

  it("is never negative, and unknown where /proc says nothing", () => {
    const texts = {
      "/proc/self/cgroup": "0::/\n",
      "/sys/fs/cgroup/memory.max": "10\n",
      "/sys/fs/cgroup/memory.current": "20\n",
    };
    expect(linuxMemory(files(texts))?.bytes).toBe(0);
    expect(linuxMemory(() => undefined)).toBeUndefined();
    expect(availableMemory().bytes).toBeGreaterThan(0);
  });
});
