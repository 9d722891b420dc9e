/** @file `nextstep resume FILE`: goes on with a drawing from its job. */
import { InputError } from "../errors.ts";
import { printable } from "../formats/quoted.ts";
import { jobCells } from "../generate/drawing-job.ts";
import { JobFile, lockExistingJob, readJobFile } from "../node/job-file.ts";
import { adaptersToOpen, checkAdaptersAgain } from "./adapter-options.ts";
import { threadsAgain } from "./again-threads.ts";
import { drawAndWrite, readNoise } from "./draw.ts";
import { outputContradiction } from "./draw-contradictions.ts";
import type { ResumeCommandOptions } from "./draw-options.ts";
import { JobKeeper } from "./job-keeper.ts";
import { jobOptions } from "./job-options.ts";
import { openNamedModel } from "./model-options.ts";
import { checkTarget, checkWritable } from "./picture-file.ts";
import type { Terminal } from "./terminal.ts";

/** Draws the rest of a job, writes its pictures where they were to go, and takes its file away. */
export async function runResume(
  file: string,
  options: ResumeCommandOptions,
  terminal: Terminal,
): Promise<void> {
  // Taken before anything is read: who drew it until now may just be finishing.
  await using lock = await lockExistingJob(file);
  const { job, own, dropped } = await readJobFile(file);
  const began = jobOptions(own, file);
  const [first] = job.pictures;
  if (first === undefined) throw new InputError("has no pictures", { where: file });
  if (began.out.kind === "stdout" && terminal.out.isTTY === true) {
    throw new InputError("its picture goes to standard output, which is a terminal", {
      where: file,
      remedy: "send it on with > or |",
    });
  }
  await checkTarget(began.out);
  if (began.saveTokens !== undefined) await checkWritable(began.saveTokens);
  const named = { ...began, ...options };
  const clash = outputContradiction({ ...named, job: file }, job.pictures.length, terminal);
  if (clash !== undefined) throw new InputError(clash, { where: file });
  if (named.previewFile !== undefined) await checkWritable(named.previewFile);
  const { model: path, noise, adapter } = named;
  checkAdaptersAgain(first.recipe, adapter);
  await using model = await openNamedModel(
    { ...(path === undefined ? {} : { model: path }), ...threadsAgain(first.recipe, options) },
    terminal,
    adaptersToOpen(adapter),
  );
  const given = noise === undefined || job.noise === undefined ? {} : { noise: await readNoise(noise) };
  const drawing = model.resume(job, { signal: terminal.signal, ...given });
  // Whether the job is of this model and whole is known before its file is touched.
  await drawing.notes();
  const kept = await JobFile.replace(file, { job, own }, lock);
  if (dropped > 0) {
    terminal.err.write(
      `note: ${printable(file)}: its last ${dropped} bytes are not whole and are drawn anew\n`,
    );
  }
  const cells = Math.min(...job.pictures.map(({ tokens }) => tokens.length / job.tokenWidth));
  terminal.err.write(`going on behind token ${cells} of ${jobCells(job)}\n`);
  const keeper = new JobKeeper({ out: began.out, own }, terminal, kept);
  await drawAndWrite(drawing, { options: named, terminal, keeper, resumed: true });
}
