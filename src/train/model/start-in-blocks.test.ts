import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { writeBlocks } from "../../../test/support/write-blocks.ts";
import { openModelFolder } from "../../checkpoint/model-folder.ts";
import { LocalFolder } from "../../files/local-folder.ts";
import { initialModelWeights } from "./start-weights.ts";

const MODEL = fileURLToPath(new URL("../../../test/parity/models/train", import.meta.url));

it("does not start from weights in blocks, and says from which to start", async () => {
  const scratch = await mkdtemp(join(tmpdir(), "nextstep-start-"));
  try {
    const folder = join(scratch, "blocks");
    const format = { bits: 4, blockSize: 32, symmetric: false } as const;
    await writeBlocks(MODEL, folder, { "lm_head.weight": format });
    await using model = await openModelFolder(new LocalFolder(folder));
    await expect(initialModelWeights([], 1, model)).rejects.toThrow(/rounded to a few bits.*converted from/);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
});
