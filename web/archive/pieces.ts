/** Does work that takes long in pieces, so that the page answers to the person all the while. */

/** Drawing and a key need what is left of a tenth of a second. */
const PIECE_MS = 25;

/** Returns the result, or null where it was stopped before. */
export async function doInPieces<Result>(work: Generator<void, Result, void>, signal: AbortSignal): Promise<Result | null> {
  for (;;) {
    await pause();
    const until = performance.now() + PIECE_MS;
    do {
      if (signal.aborted) return null;
      const { done, value } = work.next();
      if (done) return value;
    } while (performance.now() < until);
  }
}

/** A message comes after what the person did; a timer would wait some milliseconds each time. */
function pause(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}
