/**
 * @file `npm run gallery -- [MODEL]`: draws the committed prompts with their seed, as the model's own settings are, and
 * writes gallery.png, gallery-edits.png and gallery.json.
 */
import { fileURLToPath } from "node:url";
import { writeGallery } from "../src/evaluate/card/gallery-files.ts";
import { refuseUsage, toolOptions } from "./tool-options.ts";

const HELP = `
Usage: npm run gallery -- [MODEL] [--out FOLDER]

Draws 24 subjects and 8 scenes (gallery.png) and 8 edits (gallery-edits.png) from committed prompts with one seed.
MODEL is a model folder (default: the model in this package).

Options:
  --out FOLDER      (default: docs)`;

const { values, positionals } = toolOptions("gallery", HELP, {
  allowPositionals: true,
  options: { out: { type: "string" } },
});
const [path, ...more] = positionals;
if (more.length > 0) refuseUsage("gallery", `one model, not ${positionals.length}`);
await writeGallery(path, values.out ?? fileURLToPath(new URL("../docs", import.meta.url)));
