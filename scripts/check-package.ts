/**
 * @file `npm run check-package`: packs this package, installs it into an empty project as a user would, and draws with
 * the command and from code there. Needs the npm registry and about a minute.
 */
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);
const root = fileURLToPath(new URL("..", import.meta.url));
const PNG_MAGIC = "89504e470d0a1a0a";

const CODE = `
import { open } from "nextstep";
import { modelTrainConfigSchema } from "nextstep/train";
const model = await open();
const [picture] = await model.draw("a red apple", { seed: 7, steps: 4 });
await picture.save("from-code.png");
await model[Symbol.asyncDispose]();
if (typeof modelTrainConfigSchema.parse !== "function") throw new Error("nextstep/train");
`;

async function expectPicture(path: string): Promise<void> {
  const bytes = await readFile(path);
  if (bytes.subarray(0, 8).toString("hex") !== PNG_MAGIC) throw new Error(`${path} is no PNG`);
}

const work = await mkdtemp(join(tmpdir(), "nextstep-package-"));
try {
  const packed = await run("npm", ["pack", "--pack-destination", work, "--json"], {
    cwd: root,
    maxBuffer: 1 << 26,
  });
  const file = /nextstep-[\w.-]+\.tgz/.exec(packed.stdout)?.[0];
  if (file === undefined) throw new Error("npm pack named no file");
  const project = join(work, "project");
  await mkdir(project);
  await writeFile(
    join(project, "package.json"),
    `${JSON.stringify({ name: "user", private: true, type: "module" })}\n`,
  );
  await run("npm", ["install", join(work, file)], { cwd: project, maxBuffer: 1 << 26 });
  await run("npx", ["nextstep", "a red apple", "--seed", "7", "--steps", "4", "--out", "from-command.png"], {
    cwd: project,
  });
  await writeFile(join(project, "draw.js"), CODE);
  await run(process.execPath, ["draw.js"], { cwd: project });
  const [command, code] = ["from-command.png", "from-code.png"].map((name) => join(project, name)) as [
    string,
    string,
  ];
  await expectPicture(command);
  await expectPicture(code);
  if (!(await readFile(command)).equals(await readFile(code)))
    throw new Error("command and code drew different pictures");
  process.stdout.write("packed, installed, drew the same picture by command and from code\n");
} finally {
  await rm(work, { recursive: true, force: true });
}
