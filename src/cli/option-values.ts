/** @file Turns the text of command-line options into values, refusing what does not fit with what would. */
import { extname } from "node:path";
import { InvalidArgumentError } from "commander";
import { PIXELS_PER_TOKEN } from "../image/pixels.ts";
import type { Target } from "./picture-file.ts";

/** Of text: beyond it, all tokens are as good as equally likely. */
export const MAX_TEMPERATURE = 100;

/** A number in a range, as a commander option parser. */
export function numberBetween(minimum: number, maximum: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === "" || !Number.isFinite(value) || value < minimum || value > maximum) {
      throw new InvalidArgumentError(`Give a number from ${minimum} to ${maximum}.`);
    }
    return value;
  };
}

/** A whole number in a range. */
export function integerBetween(minimum: number, maximum: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (
      !/^[+-]?\d+$/.test(text.trim()) ||
      !Number.isSafeInteger(value) ||
      value < minimum ||
      value > maximum
    ) {
      throw new InvalidArgumentError(`Give a whole number from ${minimum} to ${maximum}.`);
    }
    return value;
  };
}

/** `512x768` (width x height), sides being whole tokens. */
export function pictureSize(text: string): { width: number; height: number } {
  const match = /^(\d{1,5})x(\d{1,5})$/i.exec(text.trim());
  const [width, height] = [Number(match?.[1]), Number(match?.[2])];
  const fits = (side: number): boolean => side > 0 && side % PIXELS_PER_TOKEN === 0;
  if (!(fits(width) && fits(height))) {
    throw new InvalidArgumentError(
      `Give WIDTHxHEIGHT in pixels, both multiples of ${PIXELS_PER_TOKEN}, e.g. 128x128.`,
    );
  }
  return { width, height };
}

/** A share of a whole, from 0 (or above it) to below 1. */
export function shareBelowOne({ zero }: { readonly zero: boolean }): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === "" || !(value < 1) || !(zero ? value >= 0 : value > 0)) {
      throw new InvalidArgumentError(`Give a number ${zero ? "from 0" : "above 0"} to below 1.`);
    }
    return value;
  };
}

/** A probability above 0, up to 1. */
export function probability(text: string): number {
  const value = Number(text);
  if (!(value > 0 && value <= 1)) throw new InvalidArgumentError("Give a number above 0, up to 1.");
  return value;
}

/** Some of `names`, with commas between them. */
export function someOf<Name extends string>(names: readonly Name[]): (text: string) => readonly Name[] {
  return (text) =>
    text.split(",").map((part) => {
      const name = names.find((known) => known === part.trim());
      if (name === undefined) throw new InvalidArgumentError(`Give some of ${names.join(", ")}.`);
      return name;
    });
}

/** `picture.png` names the file of a single picture, `-` standard output, anything else a folder. */
export function pictureTarget(text: string): Target {
  if (text === "") throw new InvalidArgumentError("Give a file.png, a folder, or - for standard output.");
  if (text === "-") return { kind: "stdout" };
  const extension = extname(text).toLowerCase();
  if (extension === ".png") return { kind: "file", path: text };
  if ([".jpg", ".jpeg", ".webp", ".gif", ".avif"].includes(extension)) {
    throw new InvalidArgumentError("Pictures are written as PNG: give a name that ends in .png.");
  }
  return { kind: "folder", path: text };
}

/** The name of a file that will be a PNG. */
export function pngFile(text: string): string {
  if (extname(text).toLowerCase() !== ".png")
    throw new InvalidArgumentError("It is written as PNG: give a name that ends in .png.");
  return text;
}

/** A description with what holds when the option is left out; for options whose default is not set by the parser. */
export function withDefault(description: string, value: string | number): string {
  return `${description} (default: ${value})`;
}

/** Gathers the values of an option that may be given several times. */
export function collect(value: string, previous: readonly string[] = []): string[] {
  return [...previous, value];
}
