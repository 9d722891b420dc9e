/** @file The command lines of the tools in scripts/ and bench/: `--help`, and mistakes told in one line with exit code 2. */
import { type ParseArgsConfig, parseArgs } from "node:util";
import { NextStepError } from "../src/errors.ts";

/** Ends the tool: its command line does not fit. */
export function refuseUsage(tool: string, message: string): never {
  process.stderr.write(`${tool}: ${message} (see npm run ${tool} -- --help)\n`);
  process.exit(2);
}

/**
 * The options of a tool's command line. `--help` prints `help` and ends the tool. From here on an error that says what is
 * wrong ends it in one line, with exit code 1.
 * @param tool its name as a script of package.json
 */
export function toolOptions<Config extends ParseArgsConfig>(
  tool: string,
  help: string,
  config: Config,
): ReturnType<typeof parseArgs<Config>> {
  process.on("uncaughtException", (error) => {
    process.stderr.write(`${tool}: ${error instanceof NextStepError ? error.message : error.stack}\n`);
    process.exit(1);
  });
  const options = { ...config.options, help: { type: "boolean", short: "h" } } as const;
  try {
    const parsed = parseArgs({ ...config, options });
    if ((parsed.values as { readonly help?: boolean }).help !== true) {
      return parsed as ReturnType<typeof parseArgs<Config>>;
    }
  } catch (error) {
    // Its first sentence; what follows is about how the parser works.
    refuseUsage(tool, (error instanceof Error ? error.message : String(error)).split(/\.\s/)[0] ?? "");
  }
  process.stdout.write(`${help.trim()}\n`);
  process.exit(0);
}

/** A whole number from `least` up. */
export function wholeOption(tool: string, name: string, text: string, least = 0): number {
  const value = Number(text);
  if (text.trim() === "" || !Number.isSafeInteger(value) || value < least) {
    refuseUsage(tool, `--${name} takes a whole number from ${least}, not "${text}"`);
  }
  return value;
}
