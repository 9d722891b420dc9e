/**
 * @file `npx tsx scripts/publish-model.ts FOLDER [--autoencoder FOLDER] [--trained FILE] [--note FILE]`: puts a trained model into the
 * package at half precision, with the decoder of another run if one is named. Weights, configuration, tokenizer files
 * and what nextstep.json says of training are replaced; the model card and the settings in nextstep.json stay. The note
 * says what was published from where. A model says of itself what the models before it were trained on, too; where the last
 * run was on less, `--trained` names the file in its folder `trained/` that says what that showed.
 */
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { z } from "zod";
import { openAutoencoderFolder } from "../src/checkpoint/autoencoder-folder.ts";
import { convertTensors } from "../src/checkpoint/convert-dtype.ts";
import { openModelFolder } from "../src/checkpoint/model-folder.ts";
import { LocalFolder } from "../src/files/local-folder.ts";
import { NEXTSTEP_FILE } from "../src/generate/default-settings.ts";
import { pixelsPerLatent } from "../src/model/autoencoder-config.ts";
import { contentsOf, writeModelFolder } from "../src/node/write-model-folder.ts";
import { autoencoderPath } from "../src/train/model/stage-setup.ts";

const trainedSchema = z.looseObject({ sizes: z.array(z.array(z.number())) });

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { autoencoder: { type: "string" }, trained: { type: "string" }, note: { type: "string" } },
});
const [source] = positionals;
if (source === undefined) throw new RangeError("name the folder of a trained model");
const target = fileURLToPath(new URL("../models/default", import.meta.url));
const work = await mkdtemp(join(tmpdir(), "nextstep-publish-"));
try {
  await using folder = await openModelFolder(new LocalFolder(source));
  await using other =
    values.autoencoder === undefined
      ? undefined
      : await openAutoencoderFolder(new LocalFolder(await autoencoderPath(values.autoencoder)));
  const { autoencoder: own, tensors, ...content } = contentsOf(folder);
  const autoencoder =
    other === undefined
      ? own
      : {
          configJson: other.configJson,
          tensors: other.tensors.toWrite(),
          weightFile: other.weightFile,
        };
  if (autoencoder === undefined) throw new RangeError(`${source} has no autoencoder`);
  const halves = { ...autoencoder, tensors: convertTensors(autoencoder.tensors, "float16") };
  const written = join(work, "model");
  await writeModelFolder(written, {
    ...content,
    tensors: convertTensors(tensors, "float16"),
    autoencoder: halves,
  });
  const { sizes, ...shown } = trainedSchema.parse(
    values.trained === undefined
      ? (await readJson(join(source, NEXTSTEP_FILE))).trained
      : (await readJson(values.trained)).all,
  );
  // Another autoencoder may make more pixels of the same tokens.
  const [before, after] = [folder.autoencoder, other ?? folder.autoencoder].map(
    (one) => one && pixelsPerLatent(one.config),
  );
  const scale = before === undefined || after === undefined ? 1 : after / before;
  const trained = { ...shown, sizes: sizes.map((sides) => sides.map((side) => side * scale)) };
  const settings = { ...(await readJson(join(target, NEXTSTEP_FILE))), trained };
  await cp(written, target, { recursive: true });
  await writeFile(join(target, NEXTSTEP_FILE), `${JSON.stringify(settings, undefined, 2)}\n`);
  if (values.note !== undefined) {
    const note = { model: source, autoencoder: values.autoencoder ?? null };
    await writeFile(values.note, `${JSON.stringify(note, undefined, 2)}\n`);
  }
} finally {
  await rm(work, { recursive: true, force: true });
}

async function readJson(path: string): Promise<Record<string, unknown>> {
  return JSON.parse(await readFile(path, "utf8")) as Record<string, unknown>;
}
