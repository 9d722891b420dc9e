/**
 * @file Integers in 32-bit words as GPTQ and AWQ store them, taken over into the order of the block operators, which
 * is by output, then input, low bits first. Nothing is rounded: integers only change place.
 */

/** Place i of an AWQ word holds column order[i] of its eight (gemm layout). */
export const AWQ_ORDER = Object.freeze([0, 2, 4, 6, 1, 3, 5, 7] as const);
const GPTQ_ORDER = Object.freeze([0, 1, 2, 3, 4, 5, 6, 7] as const);

/** Words of a row and of a column that are read together: 16 words are a cache line. Signed, so that V8 keeps integers. */
const TILE = 16;

/**
 * Words that hold integers along the inputs (GPTQ): each is, as bytes, a piece of an output's row, so that the matrix of
 * words is transposed.
 * @param words [rows, outputs], row-major.
 * @param rowWords words of a result row, at least `rows`; those behind stay 0.
 * @returns [outputs, rowWords]
 */
export function transposeWords(
  words: Int32Array,
  rows: number,
  outputs: number,
  rowWords: number,
): Int32Array<ArrayBuffer> {
  const result = new Int32Array(outputs * rowWords);
  for (let firstOutput = 0; firstOutput < outputs; firstOutput += TILE) {
    const endOutput = Math.min(firstOutput + TILE, outputs);
    for (let firstRow = 0; firstRow < rows; firstRow += TILE) {
      const endRow = Math.min(firstRow + TILE, rows);
      for (let output = firstOutput; output < endOutput; output++) {
        const target = output * rowWords;
        for (let row = firstRow; row < endRow; row++) {
          result[target + row] = words[row * outputs + output] as number;
        }
      }
    }
  }
  return result;
}

/**
 * Words that hold eight 4-bit integers along the outputs in AWQ's order: each eight by eight integers are transposed.
 * @param words [inputs, columns], row-major; a column is eight outputs.
 * @param rowWords words of a result row, at least inputs / 8; those behind stay 0.
 * @returns [8 columns, rowWords]
 */
export function transposeNibbles(
  words: Int32Array,
  inputs: number,
  columns: number,
  rowWords: number,
): Int32Array<ArrayBuffer> {
  const result = new Int32Array(columns * 8 * rowWords);
  const square = new Int32Array(8);
  for (let tile = 0; tile < columns; tile += TILE) {
    const end = Math.min(tile + TILE, columns);
    for (let row = 0; row * 8 < inputs; row++) {
      for (let column = tile; column < end; column++) {
        const first = row * 8 * columns + column;
        // Behind the last input nothing is there, which a typed array makes 0.
        for (let i = 0; i < 8; i++) square[i] = words[first + i * columns] as number;
        transposeSquare(square);
        for (let place = 0; place < 8; place++) {
          const output = column * 8 + (AWQ_ORDER[place] as number);
          result[output * rowWords + row] = square[place] as number;
        }
      }
    }
  }
  return result;
}

/** Eight words of eight nibbles: nibble j of word i and nibble i of word j change places (Hacker's Delight 7-3). */
function transposeSquare(square: Int32Array): void {
  exchange(square, 4, 16, 0x0000ffff);
  exchange(square, 2, 8, 0x00ff00ff);
  exchange(square, 1, 4, 0x0f0f0f0f);
}

/** In each pair of words `distance` apart, the high parts of the first and the low ones of the second. */
function exchange(square: Int32Array, distance: number, shift: number, mask: number): void {
  for (let pair = 0; pair < 4; pair++) {
    const i = ((pair & ~(distance - 1)) << 1) | (pair & (distance - 1));
    const low = square[i] as number;
    const high = square[i + distance] as number;
    const changed = ((low >>> shift) ^ high) & mask;
    square[i] = low ^ (changed << shift);
    square[i + distance] = high ^ changed;
  }
}

export interface ZeroWords {
  readonly bits: 4 | 8;
  /** AWQ's order of columns in a word, or in order. */
  readonly awqOrder: boolean;
}

/**
 * Unpacks zero points as they are stored.
 * @param words [groups, outputs * bits / 32]
 * @returns [groups, outputs]
 */
export function unpackZeros(
  words: Int32Array,
  groups: number,
  outputs: number,
  { bits, awqOrder }: ZeroWords,
): Uint8Array<ArrayBuffer> {
  const places = 32 / bits;
  const columns = outputs / places;
  const order = awqOrder ? AWQ_ORDER : GPTQ_ORDER;
  const mask = 2 ** bits - 1;
  const zeros = new Uint8Array(groups * outputs);
  for (let word = 0; word < groups * columns; word++) {
    const value = words[word] as number;
    const start = word * places;
    for (let place = 0; place < places; place++) {
      zeros[start + (order[place] as number)] = (value >>> (bits * place)) & mask;
    }
  }
  return zeros;
}
