/** Where the page came from. */

/** Whether the page came from a server and not from the disk. */
export function isServed(): boolean {
  return location.protocol === "http:" || location.protocol === "https:";
}

/** Whether the page came from a server of ours: it says so with the page, and others are asked nothing. */
export function cameFromOurServer(): boolean {
  const entry = performance.getEntriesByType("navigation")[0] as PerformanceNavigationTiming | undefined;
  return isServed() && (entry?.serverTiming.some(({ name }) => name === "zddc") ?? false);
}
