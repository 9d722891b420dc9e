/**
 * @file `npm run gallery -- [MODEL]`: draws the 24 best known subjects with seed 1, as the model's own settings are, and writes
 * docs/gallery.png and the list of prompts beside it.
 */
import { writeFile } from "node:fs/promises";
import { nodeZlib } from "../src/files/zlib.ts";
import { encodePng } from "../src/image/encode-png.ts";
import { open } from "../src/node/open-model.ts";
import { pictureGrid } from "../src/train/loop/picture-grid.ts";
import { knownSubjects } from "./real-pictures.ts";
import { refuseUsage, toolOptions } from "./tool-options.ts";

const PROMPTS = 24;
const COLUMNS = 8;
const SEED = 1;

const HELP = `
Usage: npm run gallery -- [MODEL]

Draws the ${PROMPTS} best known subjects with seed ${SEED} and writes docs/gallery.png and docs/gallery.json.
MODEL is a model folder (default: the model in this package).`;

const { positionals } = toolOptions("gallery", HELP, { allowPositionals: true });
const [path, ...more] = positionals;
if (more.length > 0) refuseUsage("gallery", `one model, not ${positionals.length}`);
const prompts = (await knownSubjects(PROMPTS)).map(({ withArticle }) => withArticle);
await using model = await open(path);
const pictures = await model.draw(prompts, { seed: SEED });
const rows = Array.from({ length: PROMPTS / COLUMNS }, (_, row) =>
  pictures.slice(row * COLUMNS, (row + 1) * COLUMNS).map(({ pixels }) => pixels),
);
const folder = new URL("../docs/", import.meta.url);
await writeFile(new URL("gallery.png", folder), await encodePng(pictureGrid(rows), nodeZlib));
const entries = pictures.map(({ prompt, seed }) => ({ prompt, seed }));
await writeFile(new URL("gallery.json", folder), `${JSON.stringify(entries, null, 2)}\n`);
