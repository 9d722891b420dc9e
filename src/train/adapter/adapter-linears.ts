/** @file The linears that an adapter is trained beside, with rank and factor of each, and its first matrices. */
import { isNamed } from "../../checkpoint/adapter/peft-config.ts";
import { ConfigError } from "../../errors.ts";
import { quoted } from "../../formats/quoted.ts";
import { type AdapterLinear, downName, type LinearShape, scaleOf, upName } from "../../model/adapter.ts";
import { type Trainable, trainable } from "../optimizer/trainable.ts";
import { randomFor } from "../step-random.ts";
import type { AdapterSettings } from "./adapter-train-config.ts";

export type AdaptedLinear = Omit<AdapterLinear, "down" | "up">;

/** @throws ConfigError for names that no linear has, and for what is no regular expression. */
export function adaptedLinears(shapes: readonly LinearShape[], settings: AdapterSettings): AdaptedLinear[] {
  const { targets, ranks, alphas, rankStabilised } = settings;
  const chosen = shapes.filter(chooserOf(targets));
  if (chosen.length === 0) throw unknown("adapter.targets", String(targets), shapes);
  if (Array.isArray(targets)) refuseUnused(targets, "adapter.targets", chosen, shapes);
  refuseUnused(Object.keys(ranks), "adapter.ranks", chosen, shapes);
  refuseUnused(Object.keys(alphas), "adapter.alphas", chosen, shapes);
  return chosen.map((shape) => {
    const rank = valueFor(ranks, shape.name) ?? settings.rank;
    return { ...shape, rank, scale: scaleOf(alphaOf(shape.name, settings), rank, rankStabilised) };
  });
}

/** The alpha of a linear by its name. */
export function alphaOf(linear: string, { alpha, alphas }: AdapterSettings): number {
  return valueFor(alphas, linear) ?? alpha;
}

function chooserOf(targets: AdapterSettings["targets"]): (shape: LinearShape) => boolean {
  if (targets === null) return () => true;
  if (typeof targets !== "string") return ({ name }) => isNamed(name, targets);
  try {
    const pattern = new RegExp(`^(?:${targets})$`, "u");
    return ({ name }) => pattern.test(name);
  } catch (cause) {
    throw new ConfigError("is no regular expression", { where: "adapter.targets", cause });
  }
}

function refuseUnused(
  names: readonly string[],
  where: string,
  chosen: readonly LinearShape[],
  shapes: readonly LinearShape[],
): void {
  const unused = names.find((name) => !chosen.some((shape) => isNamed(shape.name, [name])));
  if (unused !== undefined) throw unknown(where, unused, shapes);
}

function unknown(where: string, name: string, shapes: readonly LinearShape[]): ConfigError {
  const ends = [...new Set(shapes.map((shape) => shape.name.split(".").slice(-1)[0] as string))];
  const words = ends.filter((end) => /^[a-z]/.test(end));
  return new ConfigError(`no linear that is adapted is called ${quoted(name)}`, {
    where,
    remedy: `names end with ${words.join(", ")}, e.g. ${quoted(shapes[0]?.name ?? "")}`,
  });
}

function valueFor(values: Readonly<Record<string, number>>, name: string): number | undefined {
  return Object.entries(values).find(([own]) => isNamed(name, [own]))?.[1];
}

/**
 * PEFT's beginning: A uniform within 1 / sqrt(inputs), B zero, so that the adapter adds nothing at first. Each depends on the
 * seed and its own name alone.
 */
export function firstMatrices(linears: readonly AdaptedLinear[], seed: number): Trainable[] {
  return linears.flatMap(({ name, inputs, outputs, rank }) => {
    const down = new Float32Array(rank * inputs);
    randomFor(seed, downName(name)).fillUniform(down);
    const bound = 1 / Math.sqrt(inputs);
    return [
      trainable(
        downName(name),
        [rank, inputs],
        down.map((value) => (2 * value - 1) * bound),
      ),
      trainable(upName(name), [outputs, rank], new Float32Array(outputs * rank)),
    ];
  });
}
