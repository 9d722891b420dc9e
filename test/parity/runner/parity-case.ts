/** @file One case of a parity folder: what its JSON file states, and its tensors (test/parity/README.md). */
import { stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { z } from "zod";
import { DataFormatError } from "../../../src/errors.ts";
import { FileSource } from "../../../src/files/file-source.ts";
import { openSafetensors } from "../../../src/files/safetensors-files.ts";
import { readJson } from "../../../src/formats/json-file.ts";
import type { TensorSource } from "../../../src/formats/tensor-source.ts";

/** Prompts with large images spell out a thousand placeholders a row. */
const MAX_CASE_BYTES = 256 * 1024 * 1024;

const caseHead = z.looseObject({
  name: z.string().optional(),
  kind: z.string(),
  model: z.string().optional(),
  tolerance: z.unknown().optional(),
  variants: z.array(z.looseObject({ prefix: z.string(), tolerance: z.unknown().optional() })).optional(),
  tensors: z
    .record(z.string(), z.looseObject({ dtype: z.string(), shape: z.array(z.int().nonnegative()) }))
    .optional(),
});

export interface ParityCase extends AsyncDisposable {
  /** The file's name without `.json`. */
  readonly name: string;
  readonly kind: string;
  /** Folder under models/. */
  readonly model: string | undefined;
  /** The whole file, for the fields of its kind. */
  readonly json: Readonly<Record<string, unknown>>;
  readonly head: z.infer<typeof caseHead>;
  /** The .safetensors file beside it, if there is one. */
  readonly tensors: TensorSource | undefined;
  /** Folder of the case, where its pictures lie too. */
  readonly folder: string;
}

/**
 * Opens a case.
 * @throws DataFormatError when it lacks what every case has, or its tensors are not what it states.
 */
export async function openParityCase(path: string): Promise<ParityCase> {
  const head = parseFields(caseHead, await readJson(await FileSource.open(path), MAX_CASE_BYTES), path);
  const folder = dirname(path);
  const name = basename(path, ".json");
  const tensorPath = join(folder, `${name}.safetensors`);
  const exists = (await stat(tensorPath).catch(() => undefined)) !== undefined;
  const tensors = exists ? await openSafetensors(tensorPath) : undefined;
  const opened: ParityCase = {
    name,
    kind: head.kind,
    model: head.model,
    json: head,
    head,
    tensors,
    folder,
    async [Symbol.asyncDispose]() {
      await tensors?.close();
    },
  };
  try {
    checkStated(opened);
    return opened;
  } catch (error) {
    await tensors?.close();
    throw error;
  }
}

function checkStated({ head, tensors, name }: ParityCase): void {
  for (const [tensor, { dtype, shape }] of Object.entries(head.tensors ?? {})) {
    const stored = tensors?.tensors.get(tensor);
    if (stored === undefined) {
      throw new DataFormatError(`states a tensor "${tensor}" that its file does not hold`, { where: name });
    }
    if (stored.dtype !== dtype || stored.shape.join() !== shape.join()) {
      throw new DataFormatError(
        `states "${tensor}" as ${dtype} [${shape.join(", ")}], its file holds ${stored.dtype} [${stored.shape.join(", ")}]`,
        { where: name },
      );
    }
  }
}

/** Reads fields of a case. @throws DataFormatError naming the first that does not fit. */
export function parseFields<Schema extends z.ZodType>(
  schema: Schema,
  json: unknown,
  where: string,
): z.infer<Schema> {
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const field = issue === undefined || issue.path.length === 0 ? "the file" : issue.path.join(".");
  throw new DataFormatError(`${field}: ${issue?.message ?? "does not fit"}`, { where, cause: parsed.error });
}
