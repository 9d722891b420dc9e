/** Scripts out of the real commands; bash runs its own, the other shells where they are installed. */
import { execFile, execFileSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { addDataCommands } from "../data-command.ts";
import { addDrawCommands } from "../draw-command.ts";
import { testTerminal } from "../test-terminal.ts";
import { addTextCommands } from "../text-command.ts";
import { completionScript } from "./completion-script.ts";
import { completionTree, everyCommand } from "./completion-tree.ts";

const program = new Command("nextstep").version("1", "--version");
for (const add of [addDrawCommands, addTextCommands, addDataCommands]) add(program, testTerminal());

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "nextstep-completion-"));
  await writeFile(join(folder, "a picture.png"), "");
  await writeFile(join(folder, "completion.bash"), completionScript(program, "bash"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

function has(shell: string): boolean {
  try {
    execFileSync(shell, ["-c", "exit 0"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

/** What bash offers at the end of `line`, and how its words are cut there. */
function complete(line: string): Promise<string[]> {
  const script = `. ./completion.bash; COMP_LINE=$1; COMP_POINT=\${#1}; _nextstep; printf '%s\\n' "\${COMPREPLY[@]}"`;
  return new Promise((resolve, reject) => {
    execFile("bash", ["--norc", "-c", script, "bash", line], { cwd: folder }, (error, out, err) => {
      if (error !== null || err !== "") reject(error ?? new Error(err));
      else resolve(out.split("\n").filter((reply) => reply !== ""));
    });
  });
}

it("holds every command and option that help shows", () => {
  const all = [...everyCommand(completionTree(program, "draw"))];
  expect(all.map(({ path }) => path.join(" "))).toEqual(
    expect.arrayContaining(["nextstep draw", "nextstep caption", "nextstep data build"]),
  );
  for (const shell of ["bash", "zsh", "fish"] as const) {
    const script = completionScript(program, shell);
    for (const { path, options } of all) {
      expect(script).toContain(path.at(-1));
      for (const { names } of options) {
        for (const name of names)
          expect(script).toContain(shell === "fish" ? name.replace(/^--?/, "") : name);
      }
    }
  }
});

describe.skipIf(!has("bash"))("bash", () => {
  it("offers commands, and the options of drawing where no command is named", async () => {
    expect(await complete("nextstep ca")).toEqual(["caption"]);
    expect(await complete("nextstep data ")).toEqual(["emoji", "build", "stats", "check", "drawn", "help"]);
    expect(await complete("nextstep --samp")).toEqual(["--sampler"]);
    expect(await complete('nextstep "a dog" --cfg-')).toEqual(["--cfg-img", "--cfg-schedule", "--cfg-until"]);
    expect(await complete("nextstep write --s")).toEqual(["--seed"]);
  });

  it("offers the values of options", async () => {
    expect(await complete("nextstep --sampler v")).toEqual(["v1", "v1.1"]);
    expect(await complete("nextstep draw a --sampler=s")).toEqual(["sde"]);
    expect(await complete("nextstep data build --type image_e")).toEqual(["image_editing"]);
    // Behind the colon, where bash's own word begins.
    expect(await complete("nextstep a --aspect 21:")).toEqual(["9"]);
    expect(await complete("nextstep a --best-of 4 --by co")).toEqual([
      "colour",
      "count",
      "command:",
      "command-json:",
    ]);
    expect(await complete("nextstep a --by ga")).toEqual(["gain"]);
    expect(await complete("nextstep a --seed ")).toEqual([]);
    // An option's value is no command.
    expect(await complete("nextstep --seed 3 agai")).toEqual(["again"]);
  });

  it("offers files with any name, and folders alone where a folder is asked for", async () => {
    expect(await complete("nextstep again ")).toEqual(["a picture.png", "completion.bash"]);
    expect(await complete("nextstep a --image a")).toEqual(["a picture.png"]);
    expect(await complete("nextstep a --model ")).toEqual([]);
  });
});

describe.each(["zsh", "fish"] as const)("%s", (shell) => {
  it.skipIf(!has(shell))("reads its script", async () => {
    const file = join(folder, `completion.${shell}`);
    await writeFile(file, completionScript(program, shell));
    execFileSync(shell, ["-n", file]);
  });
});
