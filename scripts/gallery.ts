/**
 * @file `npm run gallery -- [MODEL] [OUT]`: draws the committed prompts with their seed, as the model's own settings are,
 * and writes gallery.png (24 subjects, 8 scenes), gallery-edits.png (8 drawings above their edits) and gallery.json.
 */
import { writeGallery } from "../src/evaluate/card/gallery-files.ts";

const [model, out = new URL("../docs/", import.meta.url).pathname] = process.argv.slice(2);
await writeGallery(model, out);
