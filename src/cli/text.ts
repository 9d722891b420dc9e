/** @file `nextstep caption FILE...` and `nextstep write TEXT`: prints text as it comes. */
import { addAbortSignal } from "node:stream";
import { abortError, DataFormatError, InputError } from "../errors.ts";
import { FileSource } from "../files/file-source.ts";
import { printable, printableLines } from "../formats/quoted.ts";
import type { WriteOptions } from "../generate/write-options.ts";
import type { FinishReason, WrittenText } from "../generate/written-text.ts";
import { openNamedModel } from "./model-options.ts";
import { progressLine } from "./progress-line.ts";
import type { Terminal } from "./terminal.ts";
import type { TextCommandOptions } from "./text-options.ts";

/** Most bytes read from standard input: far beyond the positions of any model, far below any memory. */
const MAX_INPUT_BYTES = 16 * 1024 * 1024;
const INPUT = "standard input";

/** Says what each picture shows; several are told apart by their names. */
export async function runCaption(
  files: readonly string[],
  options: TextCommandOptions,
  terminal: Terminal,
): Promise<void> {
  // A name that is mistyped is found before anything is loaded or printed.
  for (const file of files) await (await FileSource.open(file)).close();
  await using model = await openNamedModel(options, terminal);
  for (const file of files) {
    const text = model.caption(file, writeOptionsOf(options, terminal));
    if (options.json === true) await printJson({ file }, text, terminal);
    else await printText(files.length > 1 ? `${printable(file)}: ` : "", text, terminal);
  }
}

/** Continues a text, or what standard input holds. */
export async function runWrite(
  given: string,
  options: TextCommandOptions,
  terminal: Terminal,
): Promise<void> {
  const prompt = given === "-" ? await readInput(terminal) : given;
  await using model = await openNamedModel(options, terminal);
  const text = model.write(prompt, writeOptionsOf(options, terminal));
  if (options.json === true) await printJson({ prompt }, text, terminal);
  else await printText("", text, terminal);
}

function writeOptionsOf(options: TextCommandOptions, { signal }: Terminal): WriteOptions {
  const names = ["maxTokens", "temperature", "topK", "topP", "seed"] as const;
  const given = names.filter((name) => options[name] !== undefined).map((name) => [name, options[name]]);
  return { ...Object.fromEntries(given), signal };
}

/** @throws whatever keeps the text from its end, behind the pieces that came. */
async function printText(name: string, text: WrittenText, terminal: Terminal): Promise<void> {
  const { out } = terminal;
  const line = progressLine(terminal);
  line.show("opening the model");
  let hasBegun = false;
  const begin = (): void => {
    if (hasBegun) return;
    hasBegun = true;
    line.clear();
    out.write(name);
  };
  try {
    for await (const piece of text) {
      begin();
      out.write(out.isTTY === true ? printableLines(piece) : piece);
    }
    begin();
  } finally {
    line.clear();
    if (hasBegun) out.write("\n");
  }
}

async function printJson(
  about: Readonly<Record<string, string>>,
  text: WrittenText,
  { out }: Terminal,
): Promise<void> {
  const finishReason: FinishReason = await text.finishReason();
  out.write(`${JSON.stringify({ ...about, text: await text.text(), finishReason })}\n`);
}

/**
 * All of standard input, without the end of its last line.
 * @throws DataFormatError for what is no UTF-8 or too long; AbortedError when interrupted meanwhile.
 */
async function readInput({ in: input, signal }: Terminal): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  try {
    for await (const chunk of addAbortSignal(signal, input) as AsyncIterable<Uint8Array>) {
      length += chunk.byteLength;
      if (length > MAX_INPUT_BYTES) {
        throw new DataFormatError(`more than ${MAX_INPUT_BYTES} bytes`, { where: INPUT });
      }
      chunks.push(chunk);
    }
  } catch (error) {
    if (signal.aborted) throw abortError(signal);
    if (error instanceof DataFormatError) throw error;
    throw new InputError("cannot be read", { where: INPUT, cause: error });
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(chunks)).replace(/\r?\n$/, "");
  } catch (cause) {
    throw new DataFormatError("is not UTF-8", { where: INPUT, cause, remedy: "give plain text" });
  }
}
