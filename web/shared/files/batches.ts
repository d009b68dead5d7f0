/** Turns what many workers find at once into batches that one loop takes. */

/** Run `produce`, which hands over items as they come, and yield them in batches; what it throws is thrown here. */
export async function* batchesOf<Item>(
  produce: (add: (items: Item[]) => void) => Promise<void>,
): AsyncGenerator<Item[]> {
  let waiting: Item[] = [];
  let wake = () => {};
  let ended = false;
  let failure: unknown;
  const running = produce((items) => {
    // Not push(...items): a call with more than about 100,000 arguments fails.
    waiting = waiting.length ? waiting.concat(items) : items;
    wake();
  })
    .catch((error: unknown) => {
      failure = error ?? new Error();
    })
    .finally(() => {
      ended = true;
      wake();
    });
  while (true) {
    if (waiting.length) {
      const batch = waiting;
      waiting = [];
      yield batch;
    } else if (ended) {
      break;
    } else {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  }
  await running;
  if (failure !== undefined) throw failure;
}

/** Take the tasks of a list, which may grow meanwhile, with at most `most` of them at once. */
export async function runAll<Task>(
  tasks: Task[],
  most: number,
  run: (task: Task) => Promise<void>,
  signal?: AbortSignal,
): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    let running = 0;
    let failed = false;
    const next = (): void => {
      if (failed) return;
      if (signal?.aborted) {
        failed = true;
        reject(signal.reason);
        return;
      }
      while (running < most && tasks.length) {
        running += 1;
        run(tasks.pop() as Task).then(
          () => {
            running -= 1;
            next();
          },
          (error: unknown) => {
            failed = true;
            reject(error);
          },
        );
      }
      if (!running) resolve();
    };
    next();
  });
}
