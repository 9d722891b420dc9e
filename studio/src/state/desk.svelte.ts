/** @file What lies on the sheet, and what is being done to it. */
import type { Entry, Job, Upload } from "../api/answers.ts";
import type { Source } from "../logic/draw-order.ts";
import { type Grid, gridOf, parseSize, type Size } from "../logic/grid.ts";
import { type Margins, NO_MARGINS } from "../logic/margins.ts";
import { emptyMask, type MaskCells } from "../logic/mask.ts";

export type Shown =
  | { readonly kind: "blank" }
  | { readonly kind: "job"; readonly job: Job; readonly isLost: boolean }
  | { readonly kind: "picture"; readonly entry: Entry; readonly siblings: readonly Entry[] }
  /** A file that was brought along; `url` is the page's own. */
  | { readonly kind: "upload"; readonly upload: Upload; readonly url: string; readonly name: string };

export type Mode =
  | { readonly name: "view" }
  | { readonly name: "edit" }
  | { readonly name: "brush"; readonly cells: MaskCells; readonly brush: number; readonly opens: boolean }
  | { readonly name: "extend"; readonly margins: Margins }
  | { readonly name: "rewind"; readonly rows: number }
  | { readonly name: "compare"; readonly other: Entry | undefined };

export const VIEW: Mode = { name: "view" };

export class Desk {
  shown = $state.raw<Shown>({ kind: "blank" });
  mode = $state.raw<Mode>(VIEW);
  /** Which of a job's pictures is in the middle. */
  index = $state(0);
  tokenSide = $state(16);
  /** Squares over the picture. */
  showsGrid = $state(false);

  show(shown: Shown): void {
    if (this.shown.kind === "upload") URL.revokeObjectURL(this.shown.url);
    this.shown = shown;
    this.mode = VIEW;
  }

  /** What can be edited, extended or brushed. */
  get source(): Source | undefined {
    const { shown } = this;
    if (shown.kind === "picture") return { picture: shown.entry };
    return shown.kind === "upload" ? { upload: shown.upload } : undefined;
  }

  get picture(): Entry | undefined {
    return this.shown.kind === "picture" ? this.shown.entry : undefined;
  }

  /** Pixels in which what is shown is drawn by the model; undefined for a blank sheet. */
  get nativeSize(): Size | undefined {
    const { shown } = this;
    if (shown.kind === "job") return parseSize(shown.job.request.native_size);
    if (shown.kind === "picture") return parseSize(shown.entry.native_size);
    return shown.kind === "upload" ? shown.upload : undefined;
  }

  /** Pixels of what is shown, in the size in which it was asked for. */
  get askedSize(): Size | undefined {
    const { shown } = this;
    if (shown.kind === "job") return parseSize(shown.job.request.size);
    if (shown.kind === "picture") return shown.entry;
    return shown.kind === "upload" ? shown.upload : undefined;
  }

  /** The cells in which it was drawn; sides are added to the picture as it is, in cells of its own pixels. */
  get grid(): Grid | undefined {
    const size = this.mode.name === "extend" ? this.askedSize : this.nativeSize;
    return size === undefined ? undefined : gridOf(size, this.tokenSide);
  }

  brush(): void {
    const { grid } = this;
    if (grid !== undefined) this.mode = { name: "brush", cells: emptyMask(grid), brush: 1, opens: true };
  }

  extend(): void {
    this.mode = { name: "extend", margins: NO_MARGINS };
  }

  /** Keeps the rows above; a quarter is a good beginning. */
  rewind(rows = Math.max(1, Math.floor((this.grid?.rows ?? 0) / 4))): void {
    const most = (this.grid?.rows ?? 1) - 1;
    this.mode = { name: "rewind", rows: Math.max(0, Math.min(most, rows)) };
  }
}
