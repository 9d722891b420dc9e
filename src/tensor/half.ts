/** @file Bulk conversion between float32 and the two 16-bit floats. Rounds to nearest, ties to even. */

/** Adding and subtracting it rounds a double below 2^51 to an integer, ties to even. */
const ROUND_TO_INTEGER = 2 ** 52;
const TWO_POW_24 = 2 ** 24;

/** Bits of a float32 for each of the 65536 float16 patterns: one load per element, about 256 KB. */
function buildFloat16Table(): Uint32Array {
  const table = new Uint32Array(65536);
  for (let h = 0; h < 65536; h++) {
    const sign = (h & 0x8000) << 16;
    const exponent = (h >>> 10) & 0x1f;
    let mantissa = h & 0x3ff;
    if (exponent === 0x1f) {
      table[h] = sign | 0x7f800000 | (mantissa << 13);
    } else if (exponent !== 0) {
      table[h] = sign | ((exponent + 112) << 23) | (mantissa << 13);
    } else if (mantissa === 0) {
      table[h] = sign;
    } else {
      // A float16 subnormal is a normal float32: shift the leading one into the implicit place.
      const shift = Math.clz32(mantissa) - 21;
      mantissa = (mantissa << shift) & 0x3ff;
      table[h] = sign | ((113 - shift) << 23) | (mantissa << 13);
    }
  }
  return table;
}

const FLOAT16_TO_FLOAT32_BITS = buildFloat16Table();

function bitsOf(values: Float32Array): Uint32Array {
  return new Uint32Array(values.buffer, values.byteOffset, values.length);
}

/**
 * Widens float16 bits to float32, exactly (NaN payloads kept).
 * `target` needs at least `source.length` elements; it is returned.
 */
export function float16ToFloat32(
  source: Uint16Array,
  target: Float32Array = new Float32Array(source.length),
): Float32Array {
  // Written through an integer view: a float store may quieten a signalling NaN.
  const out = bitsOf(target);
  const table = FLOAT16_TO_FLOAT32_BITS;
  for (let i = 0; i < source.length; i++) out[i] = table[source[i]!]!;
  return target;
}

/** Narrows float32 to float16 bits: overflow gives infinity, tiny values subnormals or signed zero. */
export function float32ToFloat16(
  source: Float32Array,
  target: Uint16Array = new Uint16Array(source.length),
): Uint16Array {
  const bits = bitsOf(source);
  for (let i = 0; i < bits.length; i++) {
    const u = bits[i]!;
    const sign = (u >>> 16) & 0x8000;
    const magnitude = u & 0x7fffffff;
    if (magnitude >= 0x47800000) {
      // >= 65536: infinity, or NaN (made quiet so that a payload in the dropped bits cannot turn it into infinity).
      target[i] = sign | (magnitude > 0x7f800000 ? 0x7e00 | ((magnitude >>> 13) & 0x3ff) : 0x7c00);
    } else if (magnitude < 0x38800000) {
      // < 2^-14: count units of 2^-24; the scaled value is exact in a double.
      target[i] = sign | (Math.abs(source[i]!) * TWO_POW_24 + ROUND_TO_INTEGER - ROUND_TO_INTEGER);
    } else {
      // Rebias the exponent by 15 - 127; 0xfff plus the last kept bit rounds ties to even.
      target[i] = sign | ((magnitude - 0x38000000 + 0xfff + ((magnitude >>> 13) & 1)) >>> 13);
    }
  }
  return target;
}

/** Widens bfloat16 bits to float32, exactly. `target` needs at least `source.length` elements; it is returned. */
export function bfloat16ToFloat32(
  source: Uint16Array,
  target: Float32Array = new Float32Array(source.length),
): Float32Array {
  const out = bitsOf(target);
  for (let i = 0; i < source.length; i++) out[i] = source[i]! << 16;
  return target;
}

/** Narrows float32 to bfloat16 bits. NaN stays NaN (made quiet), overflow gives infinity. */
export function float32ToBfloat16(
  source: Float32Array,
  target: Uint16Array = new Uint16Array(source.length),
): Uint16Array {
  const bits = bitsOf(source);
  for (let i = 0; i < bits.length; i++) {
    const u = bits[i]!;
    target[i] = (u & 0x7fffffff) > 0x7f800000 ? (u >>> 16) | 0x40 : (u + 0x7fff + ((u >>> 16) & 1)) >>> 16;
  }
  return target;
}
