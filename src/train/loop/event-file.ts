/**
 * @file TensorBoard event files: TFRecords of `Event` messages, of which scalars need a handful of fields
 * (tensorflow/core/lib/io/record_writer.h, tensorflow/core/util/event.proto).
 */

/** Castagnoli's polynomial, bits reversed. */
const POLYNOMIAL = 0x82f63b78;

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let remainder = byte;
  for (let bit = 0; bit < 8; bit++) remainder = (remainder >>> 1) ^ (remainder & 1 ? POLYNOMIAL : 0);
  return remainder;
});

/** CRC-32C (RFC 3720, B.4), unsigned. */
export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = (crc >>> 8) ^ CRC_TABLE[(crc ^ byte) & 0xff]!;
  return ~crc >>> 0;
}

/** The CRC as records hold it, so that a CRC of data that hold CRCs stays a good one. */
export function maskedCrc(bytes: Uint8Array): number {
  const crc = crc32c(bytes);
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

/** A TFRecord: length (uint64), its masked CRC, data, their masked CRC; all little-endian. */
export function tfRecord(data: Uint8Array): Uint8Array {
  const record = new Uint8Array(16 + data.length);
  const view = new DataView(record.buffer);
  view.setBigUint64(0, BigInt(data.length), true);
  view.setUint32(8, maskedCrc(record.subarray(0, 8)), true);
  record.set(data, 12);
  view.setUint32(12 + data.length, maskedCrc(data), true);
  return record;
}

/** Wire types of protocol buffers. */
const [VARINT, FIXED64, BYTES, FIXED32] = [0, 1, 2, 5] as const;

/** `SessionLog.START`: what an earlier file says of this step and later ones is void. */
const SESSION_START = 1;

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80);
  return [...bytes, rest];
}

function tag(field: number, wireType: number): number[] {
  return varint((field << 3) | wireType);
}

function bytesField(field: number, bytes: readonly number[]): number[] {
  return [...tag(field, BYTES), ...varint(bytes.length), ...bytes];
}

function textField(field: number, text: string): number[] {
  return bytesField(field, [...new TextEncoder().encode(text)]);
}

function fixedField(field: number, value: number, wireType: typeof FIXED64 | typeof FIXED32): number[] {
  const view = new DataView(new ArrayBuffer(wireType === FIXED64 ? 8 : 4));
  if (wireType === FIXED64) view.setFloat64(0, value, true);
  else view.setFloat32(0, value, true);
  return [...tag(field, wireType), ...new Uint8Array(view.buffer)];
}

/** @param what the event's own field. A step of 0 is not written, as defaults are not. */
function event(wallTime: number, step: number, what: readonly number[]): Uint8Array {
  const stepField = step === 0 ? [] : [...tag(2, VARINT), ...varint(step)];
  return tfRecord(Uint8Array.from([...fixedField(1, wallTime, FIXED64), ...stepField, ...what]));
}

/** First record of a file. @param wallTime seconds since 1970. */
export function versionRecord(wallTime: number): Uint8Array {
  return event(wallTime, 0, textField(3, "brain.Event:2"));
}

/** A run that goes on: what was recorded of `step` and later is to be forgotten. */
export function restartRecord(wallTime: number, step: number): Uint8Array {
  return event(wallTime, step, bytesField(7, [...tag(1, VARINT), ...varint(SESSION_START)]));
}

/** Scalars of a step by tag. */
export function scalarsRecord(
  wallTime: number,
  step: number,
  scalars: Readonly<Record<string, number>>,
): Uint8Array {
  const values = Object.entries(scalars).flatMap(([name, value]) =>
    bytesField(1, [...textField(1, name), ...fixedField(2, value, FIXED32)]),
  );
  return event(wallTime, step, bytesField(5, values));
}
