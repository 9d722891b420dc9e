/** @file `nextstep convert --pull`: converts while it fetches, and tells how both go. */
import { NextStepError } from "../errors.ts";
import { printable } from "../formats/quoted.ts";
import { formatBytes } from "../hub/format-bytes.ts";
import { readHubSettings } from "../hub/hub-settings.ts";
import { formatRepoName, parseRepoName } from "../hub/repo-name.ts";
import { type ConvertSettings, conversionText } from "./convert.ts";
import { Pace } from "./pace.ts";
import { PLAIN_PERIOD_MS, progressLine } from "./progress-line.ts";
import { rewritesLines } from "./progress-stream.ts";
import { JSON_PERIOD_MS, retryText } from "./pull.ts";
import type { Terminal } from "./terminal.ts";

/** Between two redraws: more only flickers. */
const LIVE_PERIOD_MS = 100;

interface Counted {
  readonly done: number;
  readonly total: number;
}

/** Converts the repository `source`, which need not be in the cache, into the folder `out`. */
export async function runConvertPassing(
  source: string,
  out: string,
  { bits, threads, json }: ConvertSettings,
  terminal: Terminal,
): Promise<void> {
  const { convertPassing } = await import("../convert/convert-passing.ts");
  const name = parseRepoName(source);
  const { signal, err, environment } = terminal;
  const started = performance.now();
  const line = progressLine(terminal);
  const tell = (event: { readonly type: string }, text: string): void => {
    line.hide();
    if (json === true) terminal.out.write(`${JSON.stringify(event)}\n`);
    else err.write(`${printable(text)}\n`);
  };
  const progress = new BothWays();
  const isLive = json !== true && rewritesLines(err, environment);
  const period = json === true ? JSON_PERIOD_MS : isLive ? LIVE_PERIOD_MS : PLAIN_PERIOD_MS;
  let told = started;
  const show = (): void => {
    const now = performance.now();
    if (now - told < period) return;
    told = now;
    if (isLive) line.show(progress.text());
    else tell(progress.event(), progress.text());
  };
  try {
    const done = await convertPassing({
      name,
      settings: readHubSettings(environment),
      ...{ target: out, bits, signal },
      ...(threads === undefined ? {} : { threads }),
      onRetry: (retry) => tell(retry, retryText(retry)),
      onSpace: (space) => {
        const { peak, result, arriving, free } = space;
        const passing = arriving
          ? ". There is no room for a shard beside it: shards are converted while they arrive, and one that is interrupted is fetched again"
          : "";
        const left = free === null ? "" : `; ${formatBytes(free)} are free`;
        tell(
          { type: "space", ...space },
          `${formatRepoName(name)}: takes ${formatBytes(peak)} of disk at most, ${formatBytes(result)} in the end${left}${passing}`,
        );
      },
      onFetched: (bytes) => {
        progress.fetched(bytes);
        show();
      },
      onProgress: (bytes) => {
        progress.converted(bytes);
        show();
      },
    });
    line.clear();
    const seconds = (performance.now() - started) / 1000;
    terminal.out.write(
      `${json === true ? JSON.stringify({ type: "result", ...done, seconds }) : conversionText(done, seconds)}\n`,
    );
  } catch (error) {
    line.clear();
    if (signal.aborted && error instanceof NextStepError && error.code === "aborted") {
      err.write("stopped; what is on the disk is kept: run the same command to go on\n");
    }
    throw error;
  }
}

/** How far fetching and converting are; either ends when it would at its pace until now. */
class BothWays {
  readonly #fetchPace = new Pace();
  readonly #convertPace = new Pace();
  #fetched: Counted | undefined;
  #converted: Counted | undefined;

  fetched(bytes: Counted): void {
    this.#fetched = bytes;
    this.#fetchPace.add(bytes.done);
  }

  converted(bytes: Counted): void {
    this.#converted = bytes;
    this.#convertPace.add(bytes.done);
  }

  text(): string {
    const part = (label: string, bytes: Counted | undefined, pace: Pace): string[] =>
      bytes === undefined
        ? []
        : [`${label} ${formatBytes(bytes.done)} of ${formatBytes(bytes.total)}${pace.left(bytes.total)}`];
    return [
      ...part("fetched", this.#fetched, this.#fetchPace),
      ...part("converted", this.#converted, this.#convertPace),
    ].join("; ");
  }

  event(): { readonly type: "progress" } & Record<string, unknown> {
    const part = (bytes: Counted | undefined, pace: Pace) =>
      bytes === undefined ? null : { ...bytes, secondsLeft: pace.secondsTo(bytes.total) ?? null };
    return {
      type: "progress",
      fetched: part(this.#fetched, this.#fetchPace),
      converted: part(this.#converted, this.#convertPace),
    };
  }
}
