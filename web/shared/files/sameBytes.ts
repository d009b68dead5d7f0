/** Compares what was written with what should have been: byte by byte, a piece at a time. */

const PIECE = 4 * 1024 * 1024;

/** Whether two files hold the same bytes, however large they are; throws what reading throws. */
export async function haveSameBytes(one: Blob, other: Blob): Promise<boolean> {
  if (one.size !== other.size) return false;
  for (let at = 0; at < one.size; at += PIECE) {
    const [a, b] = await Promise.all([one, other].map((blob) => blob.slice(at, at + PIECE).arrayBuffer()));
    const [left, right] = [new Uint8Array(a!), new Uint8Array(b!)];
    if (left.length !== right.length) return false;
    for (let n = 0; n < left.length; n += 1) if (left[n] !== right[n]) return false;
  }
  return true;
}
