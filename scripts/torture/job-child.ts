/**
 * @file A process that draws as the command does with `--job`, but says of each token that it is drawn before the job is
 * told. Arguments: model, job, folder of the pictures, side, pictures.
 */
import { writeSync } from "node:fs";
import { ownOf } from "../../src/cli/job-options.ts";
import { open } from "../../src/index.ts";
import { JobFile } from "../../src/node/job-file.ts";

const [folder, path, out, side, count] = process.argv.slice(2) as [string, string, string, string, string];
await using model = await open(folder, { threads: 1 });
const size = { width: Number(side), height: Number(side) };
const drawing = model.start("rain", { seed: 1, count: Number(count), size, steps: 2 });
const own = ownOf({ out: { kind: "folder", path: out }, preview: false });
await using job = await JobFile.replace(path, { job: await drawing.job(), own });
for await (const progress of drawing) {
  writeSync(1, `${progress.token}\n`);
  await job.append(progress);
}
