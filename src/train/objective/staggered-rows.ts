/**
 * @file Rows whose pictures are learnt in a drawing order other than raster order (src/generate/drawing-order.ts). All tokens
 * of a picture are still read at once and in their places; what differs is whom each one sees. Only where a row of the
 * picture starts before the one above has ended, its first cell is predicted by a stand-in, which is read beside the
 * sequence: such columns stand behind the ids of a row, at the rotary position of the cell whose place they take, and nothing
 * sees them.
 */
import { InputError } from "../../errors.ts";
import type { DrawingOrder } from "../../generate/drawing-order.ts";
import { type NextStepConfig, tokenWidth } from "../../model/config.ts";
import type { BatchImage, TokenRows } from "./token-rows.ts";

/** A picture of a batch that has an order, and where its first token stands. */
interface OrderedPicture {
  readonly image: BatchImage;
  readonly order: DrawingOrder;
  readonly row: number;
  readonly start: number;
}

/** A token that is read once more, for the sake of the row of a picture that it lets begin. */
export interface StandInColumn {
  readonly row: number;
  /** Column behind the row's ids. */
  readonly column: number;
  /** Column whose rotary position it has. */
  readonly position: number;
  /** Column that is predicted from it. */
  readonly predicts: number;
  /** As the backbone reads it. [64] */
  readonly token: Float32Array;
}

/** What a position sees: itself, and of the columns that `like` sees in front of itself, those that `sees` allows. */
export interface Sight {
  readonly row: number;
  readonly column: number;
  readonly like: number;
  /** First column that is asked about; what `like` sees before it is seen. */
  readonly from: number;
  sees(column: number): boolean;
}

/** How a batch is laid out for its drawing orders. */
export interface StaggeredLayout {
  /** Columns of a row: its ids, and stand-ins behind them. */
  readonly columns: number;
  /** Row by row. */
  readonly standIns: readonly StandInColumn[];
  readonly sights: readonly Sight[];
}

/**
 * The layout of a batch of which some pictures have an order; undefined without such.
 * @throws InputError for an order of another number of tokens than its picture has.
 */
export function staggeredLayout(config: NextStepConfig, batch: TokenRows): StaggeredLayout | undefined {
  if (!hasOrders(batch)) return undefined;
  const pictures = placePictures(config, batch);
  const columns = new Array<number>(batch.rows).fill(batch.tokens);
  const placed = pictures.flatMap((picture) =>
    standInsOf(picture, tokenWidth(config), () => columns[picture.row]!++),
  );
  const sights = pictures.flatMap(tokenSights);
  return {
    columns: Math.max(...columns),
    standIns: placed.map(({ standIn }) => standIn),
    sights: [...sights, ...placed.map(({ sight }) => sight)],
  };
}

/** Whether pictures of a batch have an order, so that each row has a mask of its own. */
export function hasOrders({ images }: { readonly images: readonly { readonly order?: unknown }[] }): boolean {
  return images.some(({ order }) => order !== undefined);
}

function placePictures(
  { placeholder, ...config }: NextStepConfig,
  { ids, tokens, images }: TokenRows,
): OrderedPicture[] {
  const width = tokenWidth(config);
  let at = 0;
  return images.flatMap((image) => {
    at = ids.indexOf(placeholder, at);
    const place = { row: Math.floor(at / tokens), start: at % tokens };
    const { order, tokens: own } = image;
    at += own.length / width;
    if (order === undefined) return [];
    if (order.count * width === own.length) return [{ image, order, ...place }];
    throw new InputError(`an order of ${order.count} tokens for a picture of ${own.length / width}`, {
      where: "batch",
    });
  });
}

/** Each token sees what was read with it or before, of those in front of it. */
function tokenSights({ order, row, start }: OrderedPicture): Sight[] {
  return Array.from({ length: order.staggered ? order.count : 0 }, (_, cell) => {
    const column = start + cell;
    return { row, column, like: column, from: start, sees: (other) => order.sees(cell, other - start) };
  });
}

function standInsOf(
  { image, order, row, start }: OrderedPicture,
  width: number,
  nextColumn: () => number,
): { standIn: StandInColumn; sight: Sight }[] {
  const [rows, cells] = order.grid;
  return Array.from({ length: rows }, (_, index) => index * cells).flatMap((first) => {
    const wave = order.waveOf(first);
    const found = order.standIn(order.waveStart(order.turnOf(first)));
    if (found === undefined) return [];
    const column = nextColumn();
    const token = image.read.subarray(found.cell * width, (found.cell + 1) * width);
    const predicts = start + first;
    return [
      {
        standIn: { row, column, position: start + found.place, predicts, token },
        // It is the last that is read before its row begins, and sees all that was read by then.
        sight: {
          row,
          column,
          like: predicts,
          from: start,
          sees: (other: number) => order.waveOf(other - start) < wave,
        },
      },
    ];
  });
}
