/** Gives the person a file: where she chooses, in a browser that can ask; else as a download. */

type SavingWindow = Window & {
  showSaveFilePicker?(options: { suggestedName: string }): Promise<FileSystemFileHandle>;
};

/** Above this, what cannot go to the disk piece by piece is better not begun without a word. */
export const LARGE_IN_MEMORY = 1024 * 1024 * 1024;

/** Whether what is saved can go to the disk piece by piece, however large it is. */
export function canStream(): boolean {
  return typeof (window as SavingWindow).showSaveFilePicker === "function";
}

/** Offer a file for download; returns at once. */
export function download(name: string, data: Blob | string, type = "text/plain;charset=utf-8"): void {
  const blob = typeof data === "string" ? new Blob([data], { type }) : data;
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  // The browser has taken the address over by then, also for a large file.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** Where a file is to be saved: a stream to the disk, or nothing where it must be a download. */
export interface Target {
  /** Write all of a stream; returns when the file is complete. */
  write(stream: ReadableStream<Uint8Array>): Promise<void>;
}

/**
 * Ask where to save a file that is made piece by piece; null where the person wants none.
 *
 * Must be called while a click or a key is handled. In a browser that cannot ask, the file is put together in memory.
 */
export async function chooseTarget(name: string): Promise<Target | null> {
  const pick = (window as SavingWindow).showSaveFilePicker;
  if (!pick) {
    return {
      async write(stream) {
        download(name, await new Response(stream as ReadableStream<Uint8Array<ArrayBuffer>>).blob());
      },
    };
  }
  let handle: FileSystemFileHandle;
  try {
    handle = await pick.call(window, { suggestedName: name });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") return null;
    throw error;
  }
  return {
    async write(stream) {
      // Nothing is at the chosen place until the stream has ended: an error leaves what was there.
      await stream.pipeTo(await handle.createWritable());
    },
  };
}
