/** @file Which source line asked for an operator, read off the stack when an error is made. */

/** The folder of this file and the operators as stack traces have it, be it as a path or as a URL. */
const THIS_ROOM = plainPath(new URL(".", import.meta.url).pathname);

/** Unescaped, with forward slashes and without the slash that URLs put before a drive letter. */
function plainPath(path: string): string {
  const slashed = path.replaceAll("\\", "/");
  try {
    return decodeURI(slashed).replace(/^\/(?=[A-Za-z]:)/, "");
  } catch {
    // A plain path may hold a percent sign that escapes nothing.
    return slashed;
  }
}

/**
 * `file:line:column` of the first frame outside this room (its tests count as outside), undefined when there is
 * none. Costs a stack trace: for errors only.
 */
export function callerLine(): string | undefined {
  const frames = new Error().stack?.split("\n").slice(1) ?? [];
  const asked = frames.find((frame) => {
    if (frame.includes(".test.")) return true;
    return !plainPath(frame).includes(THIS_ROOM) && !frame.includes("node:internal");
  });
  const place = asked?.match(/\((.+:\d+:\d+)\)$/) ?? asked?.match(/at (?:async )?(.+:\d+:\d+)$/);
  return place?.[1];
}
