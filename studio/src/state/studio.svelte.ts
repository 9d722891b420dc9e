/** @file The whole page's state, and what its buttons do. */
import { createContext } from "svelte";
import type { Capabilities, Entry, Job } from "../api/answers.ts";
import { ApiError, reasonOf } from "../api/api-error.ts";
import { Client } from "../api/client.ts";
import { followJob, hasEnded, sleep } from "../api/follow-job.ts";
import {
  type Deed,
  type Fields,
  fieldsOfEntry,
  fieldsOfRecipe,
  fullPrompt,
  newSeed,
  orderOf,
} from "../logic/draw-order.ts";
import { addedCells } from "../logic/margins.ts";
import { maskPng, openCount } from "../logic/mask.ts";
import { Board } from "./board.svelte.ts";
import { Desk, type Mode, VIEW } from "./desk.svelte.ts";
import { Form } from "./form.svelte.ts";
import { recall, remember } from "./memory.ts";
import { Shelf } from "./shelf.svelte.ts";
import type { ShortcutName } from "./shortcuts.svelte.ts";

const KEY_PLACE = "nextstep.key";
/** Between two attempts to reach a server that does not answer, in milliseconds. */
const RETRY = 2_000;
/** Until the server has answered. */
const NOTHING_KNOWN = { defaults: {}, adapters: [] };

export const [getStudio, setStudio] = createContext<Studio>();

export class Studio {
  key = $state<string | undefined>(recall<string | undefined>(KEY_PLACE, undefined));
  capabilities = $state.raw<Capabilities | undefined>(undefined);
  /** Whether the server answers: `key` where it does not without one. */
  reach = $state<"reading" | "ok" | "lost" | "key">("reading");
  /** Why the last thing could not be done. */
  fault = $state("");
  /** For screen readers: what has just happened. */
  said = $state("");
  isSending = $state(false);

  readonly client = new Client(() => this.key);
  readonly form = new Form();
  readonly desk = new Desk();
  readonly shelf = new Shelf(this.client);
  readonly board = new Board(this.client, {
    ended: () => this.attempt(() => this.shelf.refresh()),
    reached: () => {
      if (this.reach === "lost") this.say("The server answers again.");
      this.reach = "ok";
    },
    failed: (error) => this.lose(error),
  });
  private following = new AbortController();

  /** Runs until `signal` fires. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted && this.capabilities === undefined) {
      try {
        this.capabilities = await this.client.capabilities();
      } catch (error) {
        if (!this.lose(error)) return;
        await sleep(RETRY, signal);
      }
    }
    if (this.capabilities === undefined) return;
    this.reach = "ok";
    this.desk.tokenSide = this.capabilities.tokenSide;
    this.form.begin(this.capabilities);
    this.attempt(() => this.shelf.refresh());
    this.openAddress(location.hash);
    await this.board.watch(signal);
  }

  say(text: string): void {
    this.said = text;
  }

  useKey(key: string | undefined): void {
    this.key = key === undefined || key.trim() === "" ? undefined : key.trim();
    remember(KEY_PLACE, this.key);
    location.reload();
  }

  /** Answers whether trying again makes sense. */
  private lose(error: unknown): boolean {
    if (error instanceof ApiError && error.status === 401) {
      this.reach = "key";
      return false;
    }
    if (this.reach !== "lost") {
      this.reach = "lost";
      this.say("The server does not answer. Trying again.");
    }
    return true;
  }

  /** Does something that the server may refuse, and says so where it does. */
  async attempt(deed: () => Promise<unknown>): Promise<boolean> {
    try {
      await deed();
      return true;
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) this.reach = "key";
      else this.fault = reasonOf(error);
      return false;
    }
  }

  /** What the button under the prompt would do now, and whether it can. */
  nextDeed(): { readonly label: string; readonly obstacle: string | undefined } {
    const { mode, grid } = this.desk;
    const isWordless = fullPrompt(this.form) === "";
    const wordless = isWordless ? "Write what to draw." : undefined;
    switch (mode.name) {
      case "view":
      case "compare":
        return { label: "Draw", obstacle: wordless };
      case "edit":
        return { label: "Draw the edit", obstacle: isWordless ? "Write what to change." : undefined };
      case "brush": {
        const open = openCount(mode.cells);
        const obstacle = open === 0 ? "Brush over the cells to write anew." : wordless;
        return { label: `Rewrite ${open} ${open === 1 ? "cell" : "cells"}`, obstacle };
      }
      case "extend": {
        const added = grid === undefined ? 0 : addedCells(grid, mode.margins);
        const obstacle = added === 0 ? "Drag a side of the sheet outwards." : wordless;
        return { label: `Write ${added} new ${added === 1 ? "cell" : "cells"}`, obstacle };
      }
      case "rewind":
        return { label: `Write on from row ${mode.rows + 1}`, obstacle: wordless };
    }
  }

  /** What the button under the prompt does. */
  async draw(): Promise<void> {
    const { obstacle } = this.nextDeed();
    if (obstacle !== undefined) {
      this.fault = obstacle;
      this.form.askFocus();
      return;
    }
    await this.order(() => this.deed());
  }

  private async deed(): Promise<Deed> {
    const { mode, source, grid, picture, tokenSide, nativeSize } = this.desk;
    if (mode.name === "rewind" && picture !== undefined) return { kind: "rewind", picture, rows: mode.rows };
    if (source === undefined || grid === undefined || nativeSize === undefined) return { kind: "draw" };
    if (mode.name === "edit") return { kind: "edit", source };
    if (mode.name === "extend") return { kind: "extend", source, grid, margins: mode.margins, tokenSide };
    if (mode.name !== "brush") return { kind: "draw" };
    const size = "picture" in source ? source.picture : source.upload;
    const png = new Blob([await maskPng(mode.cells, grid, size)], { type: "image/png" });
    const { blob } = await this.client.upload(png, "mask.png");
    return { kind: "brush", source, mask: blob };
  }

  private async order(deed: () => Promise<Deed>, fields = this.form.fields): Promise<void> {
    if (this.isSending) return;
    this.fault = "";
    this.isSending = true;
    await this.attempt(async () => {
      const job = await this.client.submit(orderOf(fields, await deed(), fields.seed ?? newSeed()));
      this.form.keep(this.capabilities?.model ?? "");
      this.board.update(job);
      this.board.refresh();
      this.showJob(job);
      this.say(job.queue_position ? `Waiting, ${job.queue_position} before it.` : "Drawing.");
    });
    this.isSending = false;
  }

  /** The same picture once more, from all that it was drawn from; or one of another seed. */
  async repeat(entry: Entry, seed: number): Promise<void> {
    await this.order(async () => ({ kind: "repeat", picture: entry }), { ...this.form.fields, seed });
  }

  /** Keeps the first quarter of the rows and writes the others with a new seed. */
  async vary(entry: Entry): Promise<void> {
    const rows = Math.max(1, Math.floor((this.desk.grid?.rows ?? 4) / 4));
    const fields = fieldsOfEntry(entry, this.capabilities ?? NOTHING_KNOWN);
    await this.order(async () => ({ kind: "rewind", picture: entry, rows }), { ...fields, seed: undefined });
  }

  takeRecipe(entry: Entry): void {
    this.take(fieldsOfEntry(entry, this.capabilities ?? NOTHING_KNOWN));
  }

  private take(fields: Fields): void {
    this.form.take(fields);
    this.say("The recipe stands in the fields.");
  }

  /** Puts a job on the sheet and follows it to its end. */
  showJob(job: Job): void {
    this.desk.show({ kind: "job", job, isLost: false });
    this.desk.index = 0;
    setAddress(`job=${job.id}`);
    void this.follow(job.id);
  }

  private async follow(id: string): Promise<void> {
    this.following.abort();
    const following = new AbortController();
    this.following = following;
    this.board.followed = id;
    const isShown = (): boolean => this.desk.shown.kind === "job" && this.desk.shown.job.id === id;
    let rows = 0;
    try {
      for await (const event of followJob(this.client, id, following.signal)) {
        if (!isShown()) return;
        if (event.kind === "lost") {
          const { shown } = this.desk;
          if (shown.kind === "job") this.desk.shown = { ...shown, isLost: true };
          continue;
        }
        const { job } = event;
        this.board.update(job);
        const isFinished = job.status === "finished" && job.pictures.length > 0;
        if (isFinished) this.finish(job);
        else this.desk.shown = { kind: "job", job, isLost: false };
        if (job.progress !== null && job.progress.rows > rows) {
          rows = job.progress.rows;
          if (!isFinished) this.say(`Row ${rows} of ${job.progress.of_rows}.`);
        }
        if (hasEnded(job) && !isFinished) {
          this.say(
            job.status === "cancelled"
              ? "Cancelled."
              : `Failed: ${job.error?.message ?? "no reason is known"}.`,
          );
        }
      }
    } catch (error) {
      this.fault = reasonOf(error);
    } finally {
      if (this.following === following) this.board.followed = undefined;
      following.abort();
    }
  }

  private finish(job: Job): void {
    this.shelf.add(job.pictures);
    const at = Math.min(this.desk.index, job.pictures.length - 1);
    this.showPicture(job.pictures[at] as Entry, job.pictures);
    this.say(
      job.pictures.length === 1 ? "The picture is done." : `${job.pictures.length} pictures are done.`,
    );
  }

  showPicture(entry: Entry, siblings: readonly Entry[] = [entry]): void {
    this.desk.show({ kind: "picture", entry, siblings });
    setAddress(`picture=${entry.id}`);
  }

  clear(): void {
    this.desk.show({ kind: "blank" });
    setAddress("");
    this.form.askFocus();
  }

  /** Shows what the page's address names. */
  openAddress(hash: string): void {
    const [, kind, id] = /^#(job|picture)=(.+)$/.exec(hash) ?? [];
    if (id === undefined) return;
    const name = decodeURIComponent(id);
    const { shown } = this.desk;
    if (shown.kind === "job" && shown.job.id === name) return;
    if (shown.kind === "picture" && shown.entry.id === name) return;
    void this.attempt(async () => {
      if (kind === "picture") return this.showPicture(await this.client.picture(name));
      const job = await this.client.job(name);
      if (job.status === "finished" && job.pictures.length > 0) this.finish(job);
      else this.showJob(job);
    });
  }

  /** Takes a file in: its recipe, where it was drawn by this program, else the picture itself to work on. */
  async bring(file: File): Promise<void> {
    this.fault = "";
    await this.attempt(async () => {
      const upload = await this.client.upload(file, file.name);
      if (upload.recipe !== null)
        this.take(fieldsOfRecipe(upload.recipe, this.capabilities ?? NOTHING_KNOWN));
      const known = upload.recipe_picture;
      if (known !== undefined && known !== null) this.showPicture(await this.client.picture(known));
      else {
        this.desk.show({ kind: "upload", upload, url: URL.createObjectURL(file), name: file.name });
        setAddress("");
      }
      if (upload.recipe === null) this.say("This picture holds no recipe. It can be brushed or extended.");
    });
  }

  /** The picture on the sheet could not be read: another browser may have deleted it. */
  missing(): void {
    const { picture } = this.desk;
    if (picture === undefined) return;
    void this.client.picture(picture.id).catch((error: unknown) => {
      if (!(error instanceof ApiError && error.status === 404)) return;
      this.shelf.drop(picture.id);
      this.clear();
      this.fault = "That picture is no longer there.";
    });
  }

  async remove(entry: Entry): Promise<void> {
    const next = this.shelf.neighbour(entry.id, 1) ?? this.shelf.neighbour(entry.id, -1);
    const isGone = await this.attempt(() => this.shelf.remove(entry.id));
    if (!isGone) return;
    if (next === undefined) this.clear();
    else this.showPicture(next);
    this.say("The picture is deleted.");
  }

  /** What a shortcut does now; false where it does nothing. */
  press(name: ShortcutName): boolean {
    const { desk } = this;
    const entry = desk.picture;
    switch (name) {
      case "draw":
        void this.draw();
        return true;
      case "leave":
        if (desk.mode.name === "view") return false;
        this.leaveMode();
        return true;
      case "prompt":
        this.form.askFocus();
        return true;
      case "blank":
        this.clear();
        return true;
      case "grid":
        desk.showsGrid = !desk.showsGrid;
        return true;
      case "older":
      case "newer":
        return this.leaf(name === "older" ? 1 : -1);
      case "brush":
      case "extend":
      case "edit":
        return desk.source !== undefined && this.begin(name);
      case "rewind":
      case "compare":
        return entry !== undefined && this.begin(name);
      default:
        return entry !== undefined && this.redo(name, entry);
    }
  }

  private redo(name: ShortcutName, entry: Entry): boolean {
    if (name === "take") this.takeRecipe(entry);
    else if (name === "repeat") void this.repeat(entry, entry.seed);
    else if (name === "another") void this.repeat(entry, newSeed());
    else if (name === "vary") void this.vary(entry);
    else return false;
    return true;
  }

  /** The next picture of the shelf. */
  private leaf(by: -1 | 1): boolean {
    const entry = this.desk.picture;
    const next = entry === undefined ? this.shelf.entries[0] : this.shelf.neighbour(entry.id, by);
    if (next === undefined) return false;
    this.showPicture(next);
    return true;
  }

  /** Begins to do something to the picture on the sheet. */
  begin(name: Exclude<Mode["name"], "view">): boolean {
    const { desk, form } = this;
    if (name === "edit" && this.capabilities?.canEdit !== true) {
      this.fault =
        "This model was not trained to edit by instruction. Cells can be brushed and written anew.";
      return true;
    }
    this.fault = "";
    const { picture } = desk;
    if (picture !== undefined && name !== "compare") {
      form.prompt = name === "edit" ? "" : picture.prompt;
      form.style = "";
    }
    if (name === "brush") desk.brush();
    else if (name === "extend") desk.extend();
    else if (name === "rewind") desk.rewind();
    else if (name === "edit") desk.mode = { name };
    else desk.mode = { name, other: undefined };
    if (name === "edit") form.askFocus();
    return true;
  }

  /** Back to looking. */
  leaveMode(): void {
    this.desk.mode = VIEW;
    this.fault = "";
  }
}

function setAddress(hash: string): void {
  const address = hash === "" ? location.pathname : `#${hash}`;
  if (location.hash !== (hash === "" ? "" : `#${hash}`)) history.pushState(null, "", address);
}
