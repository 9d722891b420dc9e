/** @file `nextstep pull`: fetches, and tells how it goes. */
import { NextStepError } from "../errors.ts";
import { printable } from "../formats/quoted.ts";
import { formatBytes } from "../hub/format-bytes.ts";
import { readHubSettings } from "../hub/hub-settings.ts";
import { pull } from "../hub/pull.ts";
import type { PullEvent } from "../hub/pull-events.ts";
import { formatRepoName, parseRepoName } from "../hub/repo-name.ts";
import type { PullPurpose } from "../hub/wanted-files.ts";
import { Pace } from "./pace.ts";
import { type ProgressLine, progressLine } from "./progress-line.ts";
import { formatDuration } from "./progress-stream.ts";
import type { Terminal } from "./terminal.ts";

/** Progress is told this often at most to programs. */
export const JSON_PERIOD_MS = 1000;

export interface PullCommandOptions {
  readonly only: PullPurpose;
  readonly json?: true;
}

/** Fetches `repository`; prints where it is. */
export async function runPull(
  repository: string,
  { only, json }: PullCommandOptions,
  terminal: Terminal,
): Promise<void> {
  const name = parseRepoName(repository);
  const settings = readHubSettings(terminal.environment);
  const { signal, out } = terminal;
  const line = progressLine(terminal);
  const onEvent = json === true ? jsonPrinter(terminal) : eventPrinter(terminal, line);
  try {
    const pulled = await pull(name, settings, { only, signal, onEvent });
    line.clear();
    if (json === true) {
      out.write(`${JSON.stringify({ type: "result", name: formatRepoName(name), ...pulled })}\n`);
      return;
    }
    const fetched =
      pulled.fetched === 0 ? "nothing had to be fetched" : `${formatBytes(pulled.fetched)} fetched`;
    terminal.err.write(`${fetched}; use it with --model ${formatRepoName(name)}\n`);
    out.write(`${pulled.folder}\n`);
  } catch (error) {
    line.clear();
    if (signal.aborted && error instanceof NextStepError && error.code === "aborted") {
      terminal.err.write("stopped; what was fetched is kept: run the same command to go on\n");
    }
    throw error;
  }
}

function eventPrinter({ err }: Terminal, line: ProgressLine): (event: PullEvent) => void {
  const rate = new Pace();
  return (event) => {
    if (event.type === "progress") {
      const { done, total } = event;
      const pace = rate.add(done);
      line.update("fetching", done, total, { format: formatBytes, pace: `${formatBytes(pace)}/s` });
      return;
    }
    line.hide();
    const text = event.type === "plan" ? planText(event) : retryText(event);
    err.write(`${printable(text)}\n`);
  };
}

function planText(plan: Extract<PullEvent, { readonly type: "plan" }>): string {
  const { repository, revision, commit, files, autoencoder, bytes, missing, free } = plan;
  const here = bytes - missing;
  const parts = [
    `${repository} at ${revision === commit ? commit : `${revision} (${commit.slice(0, 12)})`}`,
    `${files.length} files, ${formatBytes(bytes)}`,
    ...(here > 0 && missing > 0 ? [`${formatBytes(here)} are here`] : []),
    missing > 0 ? `${formatBytes(missing)} to fetch` : "all of it is here",
    ...(free !== null && missing > 0 ? [`${formatBytes(free)} free`] : []),
  ];
  const along = autoencoder === null ? "" : `; it has no autoencoder, so that of ${autoencoder} comes along`;
  return parts.join(", ") + along;
}

export function retryText({ reason, waitMs }: Extract<PullEvent, { readonly type: "retry" }>): string {
  return `${reason}; trying again in ${formatDuration(waitMs / 1000)}`;
}

function jsonPrinter({ out }: Terminal): (event: PullEvent) => void {
  let told = Number.NEGATIVE_INFINITY;
  return (event) => {
    if (event.type === "progress") {
      const now = performance.now();
      if (now - told < JSON_PERIOD_MS && event.done < event.total) return;
      told = now;
    }
    out.write(`${JSON.stringify(event)}\n`);
  };
}
