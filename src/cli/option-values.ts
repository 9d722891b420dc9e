/** @file Turns the text of command-line options into values, refusing what does not fit with what would. */
import { InvalidArgumentError } from "commander";
import { PIXELS_PER_TOKEN } from "../image/pixels.ts";

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

/** Gathers the values of an option that may be given several times. */
export function collect(value: string, previous: readonly string[] = []): string[] {
  return [...previous, value];
}
