/** @file Which rows of a long list stand on the screen. */

export interface RowRange {
  readonly first: number;
  /** Behind the last one. */
  readonly end: number;
}

/**
 * Some rows are always there, those nearest to the window, so that the tab key finds them.
 * @param top how far the list's beginning is above the window's upper edge; negative below it
 * @param height of the window
 * @param spare rows kept on either side, so that scrolling finds them there
 */
export function rowsInView(
  count: number,
  rowHeight: number,
  top: number,
  height: number,
  spare: number,
): RowRange {
  const least = Math.min(count, Math.max(1, spare));
  const first = Math.floor(top / rowHeight) - spare;
  const end = Math.ceil((top + height) / rowHeight) + spare;
  return {
    first: Math.max(0, Math.min(first, count - least)),
    end: Math.min(count, Math.max(end, least)),
  };
}

/** How many columns of a width fit, with gaps between them; at least one. */
export function columnsIn(width: number, column: number, gap: number): number {
  return Math.max(1, Math.floor((width + gap) / (column + gap)));
}
