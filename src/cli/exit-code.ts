/** @file What the command ends with: exit codes, and what can make it end early. */
import { constants } from "node:os";
import type { Writable } from "node:stream";
import { hasCode, writeFailure } from "../files/write-failure.ts";
import { printable } from "../formats/quoted.ts";

export const EXIT_FAILURE = 1;
export const EXIT_USAGE = 2;

/** As shells have it: 129 for SIGHUP, 130 for SIGINT (Ctrl-C), 141 for SIGPIPE, 143 for SIGTERM. */
function exitCodeOf(name: "SIGHUP" | "SIGINT" | "SIGPIPE" | "SIGTERM"): number {
  return 128 + constants.signals[name];
}

/** Printed by `nextstep --help`. */
export const EXIT_CODES_HELP = `Exit codes:
  0    done
  1    failed: one line on standard error says why
  2    the command line does not fit
  129  hung up (SIGHUP); 130 interrupted (Ctrl-C); 143 terminated (SIGTERM)
  141  whoever read the output went away`;

/** Why the work is to end early, if it is. */
export interface Ending {
  /** Fires with the first reason. */
  readonly signal: AbortSignal;
  /** The exit code that it asks for. */
  readonly code: () => number | undefined;
}

/**
 * Ends the work in order at the first signal, or when standard output takes no more; a second signal ends the process
 * at once. Standard error that is closed is done without.
 */
export function watchForEnding(out: Writable, err: Writable): Ending {
  const controller = new AbortController();
  let code: number | undefined;
  const end = (reason: number): void => {
    code ??= reason;
    process.exitCode = code;
    controller.abort();
  };
  for (const name of ["SIGHUP", "SIGINT", "SIGTERM"] as const) {
    process.on(name, () => {
      if (code !== undefined) process.exit(exitCodeOf(name));
      end(exitCodeOf(name));
    });
  }
  out.on("error", (error) => {
    if (code === undefined && !hasCode(error, "EPIPE")) {
      const failure = writeFailure(error, "standard output");
      err.write(`nextstep: ${printable(failure instanceof Error ? failure.message : String(failure))}\n`);
    }
    end(hasCode(error, "EPIPE") ? exitCodeOf("SIGPIPE") : EXIT_FAILURE);
  });
  err.on("error", () => {});
  return { signal: controller.signal, code: () => code };
}
