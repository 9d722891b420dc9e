import { expect, it, vi } from "vitest";
import { type ModelFolder, openModelFolder } from "../checkpoint/model-folder.ts";
import { AbortedError, InputError } from "../errors.ts";
import { LocalFolder } from "../files/local-folder.ts";
import { LocalEngine } from "../runtime/node/local-engine.ts";
import { ModelSessions } from "./model-sessions.ts";
import { SharedLoop } from "./shared-loop.ts";
import { openTestSessions, testModelPath, testSlots } from "./test-models.ts";
import { writeTokens } from "./write-text.ts";

/** Counts the weights that are read, and waits in front of each. */
async function slowFolder(): Promise<{ folder: ModelFolder; read: () => number } & AsyncDisposable> {
  const folder = await openModelFolder(new LocalFolder(testModelPath("v1.1")));
  let count = 0;
  const weightSource: ModelFolder["tensors"]["weightSource"] = async (port) => {
    count++;
    await new Promise((resolve) => setTimeout(resolve, 2));
    return folder.tensors.weightSource(port);
  };
  const tensors = new Proxy(folder.tensors, {
    get: (target, key) => {
      if (key === "weightSource") return weightSource;
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  const slow = new Proxy(folder, {
    get: (target, key) => (key === "tensors" ? tensors : Reflect.get(target, key, target)),
  });
  return { folder: slow, read: () => count, [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose]() };
}

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

it("stops reading weights when nobody waits for them any more, and reads them for the next who asks", async () => {
  await using slow = await slowFolder();
  await using engine = new LocalEngine({ threads: 1 });
  const sessions = new ModelSessions(engine, slow.folder);
  const abort = new AbortController();
  const loading = sessions.backbone(abort.signal);
  await pause(10);
  abort.abort();
  await expect(loading).rejects.toThrow(AbortedError);
  await pause(10);
  const stopped = slow.read();
  await pause(30);
  expect(slow.read()).toBe(stopped);
  const session = await sessions.backbone();
  expect(slow.read() - stopped).toBe(session.model.parameters.length);
  expect(stopped).toBeLessThan(session.model.parameters.length);
});

it("goes on for another who waits", async () => {
  await using slow = await slowFolder();
  await using engine = new LocalEngine({ threads: 1 });
  const sessions = new ModelSessions(engine, slow.folder);
  const abort = new AbortController();
  const [left, stays] = [sessions.backbone(abort.signal), sessions.backbone()];
  await pause(10);
  abort.abort();
  await expect(left).rejects.toThrow(AbortedError);
  expect((await stays).model.parameters.length).toBe(slow.read());
});

it("ends what waits when it is closed, once no file is read any more", async () => {
  await using slow = await slowFolder();
  await using engine = new LocalEngine({ threads: 1 });
  const sessions = new ModelSessions(engine, slow.folder);
  const loading = sessions.backbone();
  await pause(10);
  const refused = expect(loading).rejects.toThrow(InputError);
  await sessions.close();
  await refused;
  const read = slow.read();
  await pause(20);
  expect(slow.read()).toBe(read);
  await expect(sessions.imageHead()).rejects.toThrow(/was closed/);
});

it("makes no engine of the autoencoder when it is closed, and no signal of one that says so already", async () => {
  await using opened = await openTestSessions("v1.1");
  const autoencoderEngine = vi.fn(() => opened.sessions.engine);
  const sessions = new ModelSessions(opened.sessions.engine, opened.sessions.folder, autoencoderEngine);
  const signal = sessions.signal(new AbortController().signal);
  expect(sessions.signal(signal)).toBe(signal);
  await sessions.close();
  expect(signal.aborted).toBe(true);
  for (const asked of [sessions.decoder(), sessions.encoder(), sessions.autoencoderState([1])]) {
    await expect(asked).rejects.toThrow(/was closed/);
  }
  expect(autoencoderEngine).not.toHaveBeenCalled();
});

/** Names of the weights that the engine is given from now on. */
function boundFrom({ engine }: ModelSessions): Set<string> {
  const names = new Set<string>();
  const create = engine.createSession.bind(engine);
  engine.createSession = (model, weights) => {
    for (const { name } of model.parameters) names.add(name);
    return create(model, weights);
  };
  return names;
}

/** First parts of names. */
const partsOf = (names: ReadonlySet<string>): Set<string> =>
  new Set([...names].map((name) => name.split(".")[0] as string));

it("binds neither vocabulary nor LM head to draw, and neither image head nor autoencoder to write", async () => {
  await using drawn = await openTestSessions("v1.1");
  const toDraw = boundFrom(drawn.sessions);
  const slots = await testSlots(drawn.sessions, ["a cat"], [1]);
  for await (const _ of new SharedLoop(drawn.sessions).draw(slots)) break;
  expect(partsOf(toDraw)).toEqual(
    new Set(["layers", "norm", "image_in_projector", "image_out_projector", "image_head"]),
  );
  await using written = await openTestSessions("v1.1");
  const toWrite = boundFrom(written.sessions);
  const { sessions } = written;
  const steps = writeTokens(sessions, { row: { ids: [1, 2] }, maxTokens: 1, stop: new Set(), seed: 1 });
  for await (const _ of steps) break;
  expect(partsOf(toWrite)).toEqual(new Set(["layers", "norm", "image_in_projector", "lm_head"]));
});

it("tells all that is under way when it is closed, however much, without a warning of too many listeners", async () => {
  const warned = vi.fn();
  process.on("warning", warned);
  await using opened = await openTestSessions("v1.1");
  const { sessions } = opened;
  const relays = Array.from({ length: 20 }, () => sessions.relay());
  relays[0]?.[Symbol.dispose]();
  await sessions.close();
  expect(relays.map(({ signal }) => signal.aborted)).toEqual([false, ...new Array<boolean>(19).fill(true)]);
  expect(sessions.relay().signal.aborted).toBe(true);
  await pause(10);
  process.off("warning", warned);
  expect(warned).not.toHaveBeenCalled();
});
