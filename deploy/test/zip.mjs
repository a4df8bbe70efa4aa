// Owns reading a zip file by its central directory, so that no unzip program is needed. Knows nothing of what is inside.
import { inflateRawSync } from 'node:zlib';

const END_SIGNATURE = 0x06054b50;
const ENTRY_SIGNATURE = 0x02014b50;
/** Bytes of the end record without its comment (APPNOTE.TXT 4.3.16). */
const END_BYTES = 22;
const DEFLATED = 8;

/**
 * @param {Buffer} zip
 * @returns {(name: string) => Buffer} the content of one entry; throws when there is none
 */
export function readZip(zip) {
  let end = zip.length - END_BYTES;
  while (end >= 0 && zip.readUInt32LE(end) !== END_SIGNATURE) end--;
  if (end < 0) throw new Error('not a zip file');
  const entries = new Map();
  let at = zip.readUInt32LE(end + 16);
  while (zip.readUInt32LE(at) === ENTRY_SIGNATURE) {
    const nameBytes = zip.readUInt16LE(at + 28);
    entries.set(zip.toString('utf8', at + 46, at + 46 + nameBytes), {
      method: zip.readUInt16LE(at + 10),
      bytes: zip.readUInt32LE(at + 20),
      headerAt: zip.readUInt32LE(at + 42),
    });
    at += 46 + nameBytes + zip.readUInt16LE(at + 30) + zip.readUInt16LE(at + 32);
  }
  return (name) => {
    const entry = entries.get(name);
    if (entry === undefined) throw new Error(`${name} is not in the zip file`);
    const dataAt = entry.headerAt + 30 + zip.readUInt16LE(entry.headerAt + 26) + zip.readUInt16LE(entry.headerAt + 28);
    const data = zip.subarray(dataAt, dataAt + entry.bytes);
    return entry.method === DEFLATED ? inflateRawSync(data) : data;
  };
}
