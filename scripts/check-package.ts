/**
 * @file `npm run check-package`: packs this package, installs it into an empty project as a user would who has neither
 * settings nor a cache, looks at what arrived, and draws with the command and from code there. Needs the npm registry
 * and about a minute.
 */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);
const root = fileURLToPath(new URL("..", import.meta.url));
const PNG_MAGIC = "89504e470d0a1a0a";

/** Somewhat above what they are: growth is to be noticed. */
const MOST_PACKED = 98e6;
const MOST_UNPACKED = 218e6;

/** As the README says. */
const PLATFORMS = ["darwin/arm64", "linux/arm64", "linux/x64", "win32/arm64", "win32/x64"];
const LICENCES = [
  "LICENSE",
  "NOTICE",
  "licenses/onnxruntime/LICENSE",
  "licenses/onnxruntime/ThirdPartyNotices.txt",
  "licenses/svelte/LICENSE.md",
  "licenses/ibm-plex-mono/LICENSE",
];
/** What no user needs: tests, sources, source maps, packages inside the package. */
const UNWANTED = /(^|\/)(node_modules|src|test|scripts)\/|\.test\.|\.map$|(?<!\.d)\.ts$/;

/** The README's example, which must run as it stands. It draws "a red apple" with seed 7 to apple.png. */
async function exampleCode(): Promise<string> {
  const [, code] = /```js\n(.*?)```/s.exec(await readFile(join(root, "README.md"), "utf8")) ?? [];
  if (code === undefined) throw new Error("README.md has no example in JavaScript");
  return code;
}

const TRAINING = `
import { modelTrainConfigSchema } from "nextstep/train";
if (typeof modelTrainConfigSchema.parse !== "function") throw new Error("nextstep/train");
`;

function expect(isTrue: boolean, otherwise: string): void {
  if (!isTrue) throw new Error(otherwise);
}

async function expectPicture(path: string): Promise<void> {
  const bytes = await readFile(path);
  expect(bytes.subarray(0, 8).toString("hex") === PNG_MAGIC, `${path} is no PNG`);
}

/** Files of a folder by their paths in it, with slashes. */
async function filesOf(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).replaceAll("\\", "/"));
}

/** Links to files that a reader of the packed Markdown cannot follow. */
async function brokenLinks(folder: string, files: readonly string[]): Promise<string[]> {
  const broken: string[] = [];
  for (const file of files.filter((name) => name.endsWith(".md"))) {
    for (const [, target] of (await readFile(join(folder, file), "utf8")).matchAll(
      /\]\(([^)#\s]+)[^)]*\)/g,
    )) {
      if (target === undefined || /^[a-z]+:/.test(target)) continue;
      if (!existsSync(join(folder, dirname(file), target))) broken.push(`${file}: ${target}`);
    }
  }
  return broken;
}

async function checkContents(folder: string): Promise<number> {
  const files = await filesOf(folder);
  const unwanted = files.filter((file) => UNWANTED.test(file));
  expect(unwanted.length === 0, `nobody needs ${unwanted.slice(0, 3).join(", ")}`);
  const missing = LICENCES.filter((file) => !files.includes(file));
  expect(missing.length === 0, `lacks ${missing.join(", ")}`);
  const bindings = files.flatMap((file) => /bin\/napi-v\d+\/(\w+\/\w+)\/\w+\.node$/.exec(file)?.[1] ?? []);
  expect(bindings.sort().join() === PLATFORMS.join(), `engine for ${bindings.join(", ")}`);
  const links = await brokenLinks(folder, files);
  expect(links.length === 0, `links that lead nowhere: ${links.join("; ")}`);
  const sizes = await Promise.all(files.map(async (file) => (await stat(join(folder, file))).size));
  return sizes.reduce((sum, size) => sum + size, 0);
}

const work = await mkdtemp(join(tmpdir(), "nextstep-package-"));
try {
  const packed = await run("npm", ["pack", "--pack-destination", work, "--json"], {
    cwd: root,
    maxBuffer: 1 << 26,
  });
  const name = /nextstep-[\w.-]+\.tgz/.exec(packed.stdout)?.[0];
  if (name === undefined) throw new Error("npm pack named no file");
  expect(!packed.stderr.includes("npm warn"), packed.stderr);
  const file = join(work, name);
  const [home, project] = [join(work, "home"), join(work, "project")];
  await Promise.all([home, project].map((folder) => mkdir(folder)));
  const user = {
    cwd: project,
    maxBuffer: 1 << 26,
    env: { ...process.env, HOME: home, USERPROFILE: home, npm_config_cache: join(home, "cache") },
  };
  await writeFile(
    join(project, "package.json"),
    `${JSON.stringify({ name: "user", private: true, type: "module" })}\n`,
  );
  await run("npm", ["install", file], user);
  const isEngineApart = existsSync(join(project, "node_modules/onnxruntime-node"));
  expect(!isEngineApart, "the engine's own package was installed, with its script");
  const sizes = [
    (await stat(file)).size,
    await checkContents(join(project, "node_modules/nextstep")),
  ] as const;
  const told = sizes.map((size) => `${(size / 1e6).toFixed(1)} MB`).join(" packed, ");
  expect(sizes[0] <= MOST_PACKED && sizes[1] <= MOST_UNPACKED, `grew to ${told} unpacked`);

  await run("npx", ["nextstep", "a red apple", "--seed", "7", "--out", "from-command.png"], user);
  for (const [name, code] of [
    ["draw.js", await exampleCode()],
    ["training.js", TRAINING],
  ] as const) {
    await writeFile(join(project, name), code);
    await run(process.execPath, [name], user);
  }
  const [command, code] = ["from-command.png", "apple.png"].map((name) => join(project, name)) as [
    string,
    string,
  ];
  await expectPicture(command);
  await expectPicture(code);
  expect((await readFile(command)).equals(await readFile(code)), "command and code drew different pictures");
  process.stdout.write(`${told} unpacked; installed, drew the same picture by command and from code\n`);
} finally {
  await rm(work, { recursive: true, force: true });
}
