/**
 * @file The thread behind the worker engine: a local engine that does one command after another, in the order in
 * which they were sent. So a run sees every write to a state that was sent before it.
 */
import { parentPort, workerData } from "node:worker_threads";
import { EngineError } from "../../errors.ts";
import type { Feeds, Session, State, StoredWeight, WeightSource } from "../engine.ts";
import {
  type Answer,
  type Command,
  type FeedMessage,
  packError,
  type Request,
  type Result,
  type WorkerData,
} from "./engine-messages.ts";
import { LocalEngine } from "./local-engine.ts";
import { loadOnnxRuntime } from "./onnxruntime.ts";

const port = parentPort;
if (port === null) throw new EngineError("runs only as a worker thread", { where: "engine-worker" });

const engine = new LocalEngine((workerData as WorkerData).options);
const sessions = new Map<number, Session>();
const states = new Map<number, State>();
/** Weights that have come for a session that is still to be created. */
const weights = new Map<number, Map<string, StoredWeight>>();

function known<Item>(items: ReadonlyMap<number, Item>, id: number, what: string): Item {
  const item = items.get(id);
  if (item === undefined) throw new EngineError(`${what} was disposed`, { where: "engine" });
  return item;
}

function feed(message: FeedMessage): Feeds[string] {
  if (!("state" in message)) return message;
  const state = known(states, message.state, "a state");
  return message.rows === undefined ? state : { state, rows: message.rows };
}

function feedsOf(messages: Readonly<Record<string, FeedMessage>>): Feeds {
  return Object.fromEntries(Object.entries(messages).map(([name, message]) => [name, feed(message)]));
}

async function perform(command: Command): Promise<Result> {
  switch (command.kind) {
    case "weight": {
      const given = weights.get(command.session) ?? new Map<string, StoredWeight>();
      weights.set(command.session, given.set(command.name, command.weight));
      return;
    }
    case "dropWeights":
      weights.delete(command.session);
      return;
    case "createSession": {
      const given = weights.get(command.session);
      weights.delete(command.session);
      const source: WeightSource = ({ name }) => {
        const weight = given?.get(name);
        if (weight === undefined) throw new EngineError("did not arrive", { where: `parameter "${name}"` });
        given?.delete(name);
        return weight;
      };
      sessions.set(command.session, await engine.createSession(command.model, source));
      return;
    }
    case "run": {
      const store = command.store.map((rule) => ({ ...rule, state: known(states, rule.state, "a state") }));
      return known(sessions, command.session, "the session").run(feedsOf(command.feeds), {
        ...(command.fetch === undefined ? {} : { fetch: command.fetch }),
        store,
      });
    }
    case "runChain":
      return engine.runChain(
        command.links.map(({ session, feeds, ...link }) => ({
          ...link,
          session: known(sessions, session, "the session"),
          feeds: feedsOf(feeds),
        })),
      );
    case "disposeSession":
      await sessions.get(command.session)?.dispose();
      sessions.delete(command.session);
      return;
    case "createState": {
      const { shape, origin } = command;
      const from =
        origin === undefined ? undefined : { ...origin, state: known(states, origin.state, "a state") };
      states.set(command.state, await engine.createState(shape, from));
      return;
    }
    case "copyRows": {
      const [source, target] = [command.source, command.target].map((id) => known(states, id, "a state"));
      await engine.copyRows(source as State, target as State, command.rows);
      return;
    }
    case "readState":
      return known(states, command.state, "a state").read();
    case "writeState":
      return known(states, command.state, "a state")
        .write(command.data, command.offset)
        .then(() => undefined);
    case "disposeState":
      states.delete(command.state);
      return;
    case "close":
      await engine[Symbol.asyncDispose]();
      sessions.clear();
      states.clear();
      return;
  }
}

/** Outputs are fresh buffers that nothing here keeps: they can be handed over instead of copied. */
function buffersOf(value: Result): ArrayBuffer[] {
  if (value === undefined) return [];
  const results = value instanceof Float32Array ? [] : [value].flat();
  const arrays =
    value instanceof Float32Array
      ? [value]
      : results.flatMap((result) => Object.values(result).map(({ data }) => data));
  const buffers = arrays.map(({ buffer }) => buffer).filter((buffer) => buffer instanceof ArrayBuffer);
  return [...new Set(buffers)];
}

async function answer({ id, command }: Request): Promise<void> {
  try {
    const value = await perform(command);
    const reply: Answer = { id, value };
    port?.postMessage(reply, buffersOf(value));
  } catch (error) {
    const reply: Answer = { id, error: packError(error) };
    port?.postMessage(reply);
  }
  // With its port closed the thread has nothing left to wait for and ends by itself, after its native parts.
  if (command.kind === "close") port?.close();
}

/** Whose message it was cannot be told, so nothing more can be answered: ends the thread, which fails all that waits. */
port.on("messageerror", (cause) => {
  throw new EngineError("a message could not be read", { where: "engine thread", cause });
});

// Loaded while the caller reads its files; a failure is told to who first needs it.
loadOnnxRuntime().catch(() => undefined);

let last = Promise.resolve();
port.on("message", (request: Request) => {
  last = last.then(() => answer(request));
});
