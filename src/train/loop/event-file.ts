/**
 * @file TensorBoard event files: TFRecords of `Event` messages, of which scalars need a handful of fields
 * (tensorflow/core/lib/io/record_writer.h, tensorflow/core/util/event.proto).
 */
import { MessageWriter } from "../../graph/protobuf.ts";

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

/** `SessionLog.START`: what an earlier file says of this step and later ones is void. */
const SESSION_START = 1;

/** @param what fills in the event's own field. A step of 0 is not written, as defaults are not. */
function event(wallTime: number, step: number, what: (message: MessageWriter) => void): Uint8Array {
  const message = new MessageWriter();
  message.double(1, wallTime);
  if (step !== 0) message.integer(2, step);
  what(message);
  return tfRecord(message.finish());
}

/** First record of a file. @param wallTime seconds since 1970. */
export function versionRecord(wallTime: number): Uint8Array {
  return event(wallTime, 0, (message) => message.string(3, "brain.Event:2"));
}

/** A run that goes on: what was recorded of `step` and later is to be forgotten. */
export function restartRecord(wallTime: number, step: number): Uint8Array {
  return event(wallTime, step, (message) => {
    const session = new MessageWriter();
    session.integer(1, SESSION_START);
    message.message(7, session);
  });
}

/** Scalars of a step by tag. */
export function scalarsRecord(
  wallTime: number,
  step: number,
  scalars: Readonly<Record<string, number>>,
): Uint8Array {
  return event(wallTime, step, (message) => {
    const summary = new MessageWriter();
    for (const [name, scalar] of Object.entries(scalars)) {
      const value = new MessageWriter();
      value.string(1, name);
      value.float(2, scalar);
      summary.message(1, value);
    }
    message.message(5, summary);
  });
}
