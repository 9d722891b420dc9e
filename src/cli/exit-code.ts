/** @file What the command ends with: exit codes, and what can make it end early. */
import type { Writable } from "node:stream";
import { hasCode, writeFailure } from "../files/write-failure.ts";
import { printable } from "../formats/quoted.ts";

export const EXIT_FAILURE = 1;
export const EXIT_USAGE = 2;

/** 128 and the signal's number, as shells have it; Windows, which does not know all of them, ends with the same. */
export const SIGNAL_CODES = Object.freeze({ SIGHUP: 129, SIGINT: 130, SIGPIPE: 141, SIGTERM: 143 });

/** Printed by `nextstep --help`. */
export const EXIT_CODES_HELP = `Exit codes:
  0    done
  ${EXIT_FAILURE}    failed: one line on standard error says why
  ${EXIT_USAGE}    the command line does not fit
  ${SIGNAL_CODES.SIGHUP}  hung up (SIGHUP)
  ${SIGNAL_CODES.SIGINT}  interrupted (Ctrl-C)
  ${SIGNAL_CODES.SIGPIPE}  whoever read the output went away
  ${SIGNAL_CODES.SIGTERM}  terminated (SIGTERM)`;

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
      if (code !== undefined) process.exit(SIGNAL_CODES[name]);
      end(SIGNAL_CODES[name]);
    });
  }
  out.on("error", (error) => {
    if (code === undefined && !hasCode(error, "EPIPE")) {
      const failure = writeFailure(error, "standard output");
      err.write(`nextstep: ${printable(failure instanceof Error ? failure.message : String(failure))}\n`);
    }
    end(hasCode(error, "EPIPE") ? SIGNAL_CODES.SIGPIPE : EXIT_FAILURE);
  });
  err.on("error", () => {});
  return { signal: controller.signal, code: () => code };
}
