/** @file Where a user's data lies that no one named a place for. */
import { homedir } from "node:os";
import { join } from "node:path";

/** Absolute; it need not exist. By the conventions of the system: XDG on Linux. */
export function dataFolder(
  environment: Readonly<Record<string, string | undefined>>,
  platform: NodeJS.Platform = process.platform,
): string {
  const home = environment.HOME ?? homedir();
  if (platform === "darwin") return join(home, "Library", "Application Support", "nextstep");
  if (platform === "win32") {
    return join(environment.LOCALAPPDATA ?? join(homedir(), "AppData", "Local"), "nextstep");
  }
  const { XDG_DATA_HOME: data = "" } = environment;
  // Relative ones are to be ignored, as the specification has it.
  return join(data.startsWith("/") ? data : join(home, ".local", "share"), "nextstep");
}
