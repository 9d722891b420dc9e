/** @file `npm ci` asks nothing but the registry: the lock file lets no dependency run a script of its own. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));

// npm sets `hasInstallScript` when it adds or upgrades a package and runs that package's scripts only where it is set.
// The engine's script would fetch GPU libraries from another host. npm 11 refuses it by `allowScripts` in package.json;
// earlier ones have only the lock file to go by. To mend: delete the lines that this test names.
it("lets no dependency run a script while it is installed", () => {
  const lock: { packages: Record<string, { hasInstallScript?: boolean }> } = JSON.parse(
    readFileSync(`${root}/package-lock.json`, "utf8"),
  );
  const running = Object.entries(lock.packages).filter(([, { hasInstallScript }]) => hasInstallScript);
  expect(running.map(([path]) => path)).toEqual([]);
  expect(Object.keys(lock.packages)).toContain("node_modules/onnxruntime-node");
});
