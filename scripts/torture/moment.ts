/** @file Waiting for moments at which it hurts. */
import { setTimeout as wait } from "node:timers/promises";
import type { RunningCommand } from "./command.ts";

/** A random share of some time. */
export async function pause(below: (n: number) => number, mostMs: number): Promise<void> {
  await wait(below(Math.max(1, Math.round(mostMs))));
}

/** Until `holds`, looked at every millisecond: what is waited for may last a few. */
export async function until(command: RunningCommand, holds: () => boolean): Promise<void> {
  while (!command.hasEnded && !holds()) await wait(1);
}
